// Command undecoded gets one contact, so that its size can be measured.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/demeterrr/demeterrr-go/internal/peers/by/undecoded"
)

func main() {
	fmt.Println(undecoded.New(os.Args[1], nil, true).Get(context.Background()))
}
