module github.com/demeterrr/demeterrr-go/internal/scale

go 1.26.0

require github.com/demeterrr/demeterrr-go v0.1.0

require (
	github.com/hashicorp/go-cleanhttp v0.5.2 // indirect
	github.com/hashicorp/go-retryablehttp v0.7.8 // indirect
)

replace github.com/demeterrr/demeterrr-go => ../..
