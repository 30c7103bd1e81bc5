// Command oapicodegen gets one contact. Package peers measures its size.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/demeterrr/demeterrr-go/internal/peers/by/oapicodegen"
)

func main() {
	fmt.Println(oapicodegen.New(os.Args[1], nil, true).Get(context.Background()))
}
