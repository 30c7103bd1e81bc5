// Command limit gets one contact, so that its size can be measured.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/demeterrr/demeterrr-go/internal/peers/by/limit"
)

func main() {
	fmt.Println(limit.New(os.Args[1], nil, true).Get(context.Background()))
}
