module github.com/demeterrr/demeterrr-go/examples

go 1.26

require github.com/demeterrr/demeterrr-go v0.1.0

replace github.com/demeterrr/demeterrr-go => ../
