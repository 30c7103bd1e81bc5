package demeterrr

// NewTransport makes a client's own transport, for tests that dial a pipe.
var NewTransport = newTransport
