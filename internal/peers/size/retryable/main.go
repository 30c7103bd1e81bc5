// Command retryable gets one contact. Package peers measures its size.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/demeterrr/demeterrr-go/internal/peers/by/retryable"
)

func main() {
	fmt.Println(retryable.New(os.Args[1], nil, true).Get(context.Background()))
}
