package main

//go:generate go tool oapi-codegen --config oapi.yaml openapi.yaml
//go:generate go tool ogen --config ogen.yml --target ogen --package ogen --clean openapi.yaml
