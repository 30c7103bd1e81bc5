// Package contract holds openapi.yaml, the API contract in machine-readable
// form. Its tests compare the client, the fake and docs/api-contract.md with
// it.
package contract
