// Package contract holds openapi.yaml, the API contract in a form that machines
// read, and the tests that hold the client, the fake and docs/api-contract.md to it.
package contract
