module github.com/demeterrr/demeterrr-go

go 1.26
