// Command nethttp gets one contact. Package peers measures its size.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/demeterrr/demeterrr-go/internal/peers/by/nethttp"
)

func main() {
	fmt.Println(nethttp.New(os.Args[1], nil, true).Get(context.Background()))
}
