// Command resty gets one contact. Package peers measures its size.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/demeterrr/demeterrr-go/internal/peers/by/resty"
)

func main() {
	fmt.Println(resty.New(os.Args[1], nil, true).Get(context.Background()))
}
