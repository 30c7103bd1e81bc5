module github.com/demeterrr/demeterrr-go/internal/quotasim

go 1.26.0

require (
	github.com/alicebob/miniredis/v2 v2.40.0
	github.com/demeterrr/demeterrr-go v0.1.0
	github.com/demeterrr/demeterrr-go/redislimit v0.0.0
	github.com/google/go-cmp v0.7.0
	github.com/redis/go-redis/v9 v9.22.0
	golang.org/x/time v0.14.0
)

require (
	github.com/cespare/xxhash/v2 v2.3.0 // indirect
	github.com/hashicorp/go-cleanhttp v0.5.2 // indirect
	github.com/hashicorp/go-retryablehttp v0.7.8 // indirect
	github.com/yuin/gopher-lua v1.1.1 // indirect
	go.uber.org/atomic v1.11.0 // indirect
	golang.org/x/sys v0.30.0 // indirect
)

replace (
	github.com/demeterrr/demeterrr-go => ../..
	github.com/demeterrr/demeterrr-go/redislimit => ../../redislimit
)
