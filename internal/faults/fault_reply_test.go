package faults

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"
)

const (
	apiError  = `{"error":{"code":"INTERNAL_ERROR","message":"Internal server error"}}`
	apiLimit  = `{"error":{"code":"RATE_LIMIT_EXCEEDED","message":"Rate limit exceeded. Please try again later."}}`
	proxyPage = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body><center><h1>502 Bad Gateway</h1></center></body>\r\n</html>\r\n"
	sample    = `{"data":{"id":"550e8400-e29b-41d4-a716-446655440000","sequenceId":"550e8400-e29b-41d4-a716-446655440000"}}`
	okHead    = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
)

// due returns the reply that was due; a typical one of the API if there was
// none.
func due(done *httptest.ResponseRecorder) string {
	if body := done.Body.String(); body != "" {
		return body
	}
	return sample
}

func (x *exchange) body() string { return due(x.done) }

// send answers with a status and a body.
func (x *exchange) send(status int, contentType, body string) {
	x.w.Header().Set("Content-Type", contentType)
	x.w.WriteHeader(status)
	_, _ = io.WriteString(x.w, body)
}

// pass answers as without a fault.
func (x *exchange) pass() {
	for name, values := range x.done.Header() {
		x.w.Header()[name] = values
	}
	x.w.WriteHeader(x.done.Code)
	_, _ = x.w.Write(x.done.Body.Bytes())
}

// lostReplies reach the client without a status, after the server has done the
// work.
func lostReplies() []fault {
	return []fault{
		{name: "server closes in place of a reply", by: "handler", class: lost, reply: func(x *exchange) { x.raw(closing) }},
		{name: "server resets in place of a reply", by: "handler", class: lost, reply: func(x *exchange) { x.raw(resetting) }},
		{name: "server stalls before the headers", by: "handler", class: lost, stalls: true, reply: (*exchange).hold},
		{name: "server stalls in the headers", by: "handler", class: lost, stalls: true, reply: func(x *exchange) { x.raw(holding, okHead) }},
		{name: "HTTP/2 stream reset", by: "handler", class: lost, tls: true, http2: true, reply: func(*exchange) { panic(http.ErrAbortHandler) }},
		{name: "HTTP/2 stalls before the headers", by: "handler", class: lost, tls: true, http2: true, stalls: true, reply: (*exchange).hold},
		{name: "closed keep-alive connection", by: "handler", class: lost, reused: true, reply: func(x *exchange) {
			if x.nth == 1 {
				x.pass()
				return
			}
			x.raw(closing)
		}},
		{name: "not HTTP", by: "handler", class: lost, reply: func(x *exchange) { x.raw(closing, "SSH-2.0-OpenSSH_9.6\r\n") }},
		{name: "20 MB of headers", by: "handler", class: lost, reply: func(x *exchange) {
			x.raw(closing, okHead, strings.Repeat("X-Much: "+strings.Repeat("m", 1000)+"\r\n", 20_000))
		}},
	}
}

// brokenBodies come with 200, and are cut or held up.
func brokenBodies() []fault {
	half := func(x *exchange) string { return x.body()[:len(x.body())/2] }
	return []fault{
		{name: "body cut short", by: "handler", class: badBody, status: 200, reply: func(x *exchange) {
			x.raw(closing, okHead, fmt.Sprintf("Content-Length: %d\r\n\r\n", len(x.body())), half(x))
		}},
		{name: "reset in the body", by: "handler", class: badBody, status: 200, reply: func(x *exchange) {
			x.raw(resetting, okHead, fmt.Sprintf("Content-Length: %d\r\n\r\n", len(x.body())), half(x))
		}},
		{name: "chunked body cut short", by: "handler", class: badBody, status: 200, reply: func(x *exchange) {
			x.raw(closing, okHead, fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n", len(half(x)), half(x)))
		}},
		{name: "chunk with a wrong size", by: "handler", class: badBody, status: 200, reply: func(x *exchange) {
			x.raw(closing, okHead, fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(half(x))-1, half(x)))
		}},
		{name: "HTTP/2 stream reset in the body", by: "handler", class: badBody, status: 200, tls: true, http2: true, reply: func(x *exchange) {
			x.send(200, "application/json", half(x))
			_ = http.NewResponseController(x.w).Flush()
			panic(http.ErrAbortHandler)
		}},
		{name: "server stalls in the body", by: "handler", class: badBody, status: 200, stalls: true, reply: func(x *exchange) {
			x.raw(holding, okHead, fmt.Sprintf("Content-Length: %d\r\n\r\n", len(x.body())), half(x))
		}},
		{name: "body trickles", by: "handler", class: badBody, status: 200, stalls: true, reply: func(x *exchange) {
			x.w.Header().Set("Content-Type", "application/json")
			x.lab.stalled()
			for i := range 10_000 {
				if _, err := io.WriteString(x.w, " "); err != nil || x.r.Context().Err() != nil {
					panic(http.ErrAbortHandler)
				}
				_ = http.NewResponseController(x.w).Flush()
				time.Sleep(5 * time.Millisecond)
				_ = i
			}
		}},
		{name: "Content-Length too large", by: "handler", class: badBody, status: 200, reply: func(x *exchange) {
			x.raw(closing, okHead, fmt.Sprintf("Content-Length: %d\r\n\r\n", len(x.body())+100), x.body())
		}},
		{name: "Content-Length too small", by: "handler", class: badBody, status: 200, reply: func(x *exchange) {
			// On a kept connection the rest would sometimes answer the next
			// attempt, unseen by the server.
			x.raw(closing, okHead, fmt.Sprintf("Connection: close\r\nContent-Length: %d\r\n\r\n", len(x.body())-10), x.body())
		}},
		{name: "Content-Length is not a number", by: "handler", class: lost, reply: func(x *exchange) { x.raw(closing, okHead, "Content-Length: many\r\n\r\n", x.body()) }},
		{name: "two Content-Lengths", by: "handler", class: lost, reply: func(x *exchange) {
			x.raw(closing, okHead, "Content-Length: 5\r\nContent-Length: 6\r\n\r\n", x.body())
		}},
	}
}

// largeBodies returns bodies larger than any of the API's, and unreadable gzip.
func largeBodies() []fault {
	return []fault{
		{name: "50 MB body, announced", by: "handler", class: tooLarge, status: 200, reply: func(x *exchange) {
			x.w.Header().Set("Content-Length", "50000000")
			flood(x.w)
		}},
		{name: "50 MB body, chunked", by: "handler", class: tooLarge, status: 200, reply: func(x *exchange) { flood(x.w) }},
		{name: "gzip bomb of 50 MB", by: "handler", class: tooLarge, status: 200, reply: func(x *exchange) {
			x.w.Header().Set("Content-Encoding", "gzip")
			_, _ = x.w.Write(bomb())
		}},
		{name: "gzip cut short", by: "handler", class: badBody, status: 200, reply: func(x *exchange) {
			x.w.Header().Set("Content-Encoding", "gzip")
			zipped := zip(x.body())
			_, _ = x.w.Write(zipped[:len(zipped)/2])
		}},
		{name: "unrequested x-gzip", by: "handler", class: noFault, reply: func(x *exchange) {
			x.w.Header().Set("Content-Encoding", "x-gzip")
			x.w.WriteHeader(x.done.Code)
			if x.done.Body.Len() > 0 {
				_, _ = x.w.Write(zip(x.body()))
			}
		}},
		{name: "unrequested brotli", by: "handler", class: badBody, status: 200, reply: func(x *exchange) {
			x.w.Header().Set("Content-Encoding", "br")
			x.send(200, "application/json", x.body())
		}},
		{name: "body that is not gzip", by: "handler", class: badBody, status: 200, reply: func(x *exchange) {
			x.w.Header().Set("Content-Encoding", "gzip")
			_, _ = io.WriteString(x.w, x.body())
		}},
	}
}

// flood writes 50 MB, as far as they are taken.
func flood(w io.Writer) {
	chunk := bytes.Repeat([]byte(" "), 100_000)
	for range 500 {
		if _, err := w.Write(chunk); err != nil {
			panic(http.ErrAbortHandler)
		}
	}
}

// bomb is 50 members of gzip, each of 1 MB.
var bomb = sync.OnceValue(func() []byte { return bytes.Repeat(zip(strings.Repeat(" ", 1_000_000)), 50) })

func zip(text string) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = io.WriteString(z, text)
	_ = z.Close()
	return b.Bytes()
}

// wrongContent returns complete replies with status 200 and undocumented
// content.
func wrongContent() []fault {
	content := func(name, contentType, body string, do misfit) fault {
		return fault{name: name, by: "handler", class: badBody, status: 200, do: do, reply: func(x *exchange) { x.send(200, contentType, body) }}
	}
	const depth = 100_000
	return []fault{
		content("empty 200", "application/json", "", asOthers),
		content("HTML with 200", "text/html", "<html><body>Please log in to the hotel's network</body></html>", asOthers),
		content("JSON null", "application/json", "null", fits),
		content("JSON without data", "application/json", `{"items":[]}`, fits),
		content("JSON of the wrong shape", "application/json", `{"data":"text"}`, fitsNobody),
		content("JSON with a second value behind it", "application/json", sample+sample, asOthers),
		content("JSON nested 100,000 deep", "application/json", `{"data":`+strings.Repeat("[", depth)+strings.Repeat("]", depth)+`}`, asOthers),
		content("JSON cut short, Content-Length right", "application/json", sample[:len(sample)-5], asOthers),
	}
}

// informational replies come before the final one, or in its place.
func informational() []fault {
	return []fault{
		{name: "100 and 103 before the reply", by: "handler", class: noFault, reply: func(x *exchange) {
			x.w.WriteHeader(http.StatusContinue)
			x.w.Header().Set("Link", "</style.css>; rel=preload")
			x.w.WriteHeader(http.StatusEarlyHints)
			x.w.Header().Del("Link")
			x.pass()
		}},
		{name: "endless 103", by: "handler", class: lost, reply: func(x *exchange) {
			hints := strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: </"+strings.Repeat("x", 500)+">\r\n\r\n", 1000)
			parts := make([]string, 40)
			for i := range parts {
				parts[i] = hints
			}
			x.raw(closing, parts...)
		}},
		{name: "101 Switching Protocols", by: "handler", class: seeOther, status: 101, reply: func(x *exchange) {
			x.raw(closing, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", "\x81\x05hello")
		}},
	}
}

// statuses returns replies with an error status.
func statuses() []fault {
	status := func(c class, code int, contentType, body string) fault {
		name := fmt.Sprintf("%d %s", code, http.StatusText(code))
		if contentType == "text/html" {
			name += ", HTML"
		}
		return fault{name: name, by: "handler", class: c, status: code, reply: func(x *exchange) {
			if code/100 == 3 {
				x.w.Header().Set("Location", "http://elsewhere.test/api/v1/contacts")
			}
			x.send(code, contentType, body)
		}}
	}
	return []fault{
		status(apiFailed, 500, "application/json", apiError),
		status(serverFailed, 500, "text/html", proxyPage),
		status(serverFailed, 502, "text/html", proxyPage),
		status(serverFailed, 503, "text/html", proxyPage),
		status(serverFailed, 504, "text/html", proxyPage),
		status(serverFailed, 408, "text/html", proxyPage),
		status(serverFailed, 425, "text/html", proxyPage),
		status(serverFailed, 507, "text/html", proxyPage),
		status(notThere, 501, "text/html", proxyPage),
		status(failedIn2xx, 200, "application/json", apiError),
		status(refusal, 413, "text/html", proxyPage),
		status(refusal, 301, "text/html", ""),
		status(refusal, 302, "text/html", ""),
		status(seeOther, 303, "text/html", ""),
		status(refusal, 307, "text/html", ""),
		status(refusal, 308, "text/html", ""),
		{name: "304 Not Modified", by: "handler", class: refusal, status: 304, reply: func(x *exchange) { x.w.WriteHeader(304) }},
	}
}

// limits returns 429s with every sort of Retry-After, and clocks that are off.
func limits() []fault {
	const far = 5 * time.Hour
	at := func(offset time.Duration) string { return time.Now().Add(offset).UTC().Format(http.TimeFormat) }
	limit := func(name string, retryAfter time.Duration, header func(h http.Header)) fault {
		return fault{name: name, by: "handler", class: limited, status: 429, retryAfter: retryAfter, reply: func(x *exchange) {
			header(x.w.Header())
			x.send(429, "application/json", apiLimit)
		}}
	}
	return []fault{
		limit("429 without Retry-After", 0, func(http.Header) {}),
		limit("429, Retry-After is negative", 0, func(h http.Header) { h.Set("Retry-After", "-1") }),
		limit("429, Retry-After overflows", 0, func(h http.Header) { h.Set("Retry-After", "99999999999999999999") }),
		limit("429, Retry-After is a word", 0, func(h http.Header) { h.Set("Retry-After", "soon") }),
		limit("429, Retry-After is an invalid date", 0, func(h http.Header) { h.Set("Retry-After", "Mon, 99 Foo 2026 25:00:00 GMT") }),
		limit("429, five bad Retry-Afters", 0, func(h http.Header) { h["Retry-After"] = []string{"", "1e9", "0x10", "NaN", "1, 2"} }),
		{name: "429, retryAfter of the body is bad", by: "handler", class: limited, status: 429, reply: func(x *exchange) {
			x.send(429, "application/json", `{"error":{"code":"RATE_LIMIT_EXCEEDED","message":"","retryAfter":-5,"details":{"retryAfter":1e999,"limit":"x"}}}`)
		}},
		limit("429, Retry-After of two hours", 2*time.Hour, func(h http.Header) { h.Set("Retry-After", "7200") }),
		limit("429, date in the past, server 5 h ahead", 0, func(h http.Header) {
			h.Set("Date", at(far))
			h.Set("Retry-After", at(far-time.Minute))
		}),
		limit("429, date in two hours, server 5 h behind", 2*time.Hour-2*time.Second, func(h http.Header) {
			h.Set("Date", at(-far))
			h.Set("Retry-After", at(2*time.Hour-far))
		}),
		{name: "success, server's clock 5 h off", by: "handler", class: noFault, reply: func(x *exchange) {
			x.w.Header().Set("Date", at(far))
			x.w.Header().Set("X-Ratelimit-Reset", "1")
			x.pass()
		}},
	}
}

// echoes returns replies that repeat the request, its key included.
func echoes() []fault {
	key := func(x *exchange) string { return x.r.Header.Get("X-Api-Key") }
	return []fault{
		{name: "echo server", by: "handler", class: lost, reply: func(x *exchange) { x.raw(closing, x.echo) }},
		{name: "status line, then an echo", by: "handler", class: lost, reply: func(x *exchange) { x.raw(closing, "HTTP/1.1 200 OK\r\n"+x.echo) }},
		{name: "key as the status", by: "handler", class: lost, reply: func(x *exchange) { x.raw(closing, "HTTP/1.1 "+key(x)+"\r\n\r\n") }},
		{name: "key as the Content-Length", by: "handler", class: lost, reply: func(x *exchange) { x.raw(closing, okHead+"Content-Length: "+key(x)+"\r\n\r\n") }},
		{name: "key as the Transfer-Encoding", by: "handler", class: lost, reply: func(x *exchange) { x.raw(closing, okHead+"Transfer-Encoding: "+key(x)+"\r\n\r\n") }},
		{name: "200, HTML with an echo", by: "handler", class: badBody, status: 200, reply: func(x *exchange) { x.send(200, "text/html", "<pre>"+x.echo+"</pre>") }},
		{name: "502, HTML with an echo", by: "handler", class: serverFailed, status: 502, reply: func(x *exchange) { x.send(502, "text/html", "<pre>"+x.echo+"</pre>") }},
		{name: "502, the API's error body with the key", by: "handler", class: serverFailed, status: 502, reply: func(x *exchange) {
			x.send(502, "application/json", strings.ReplaceAll(`{"error":{"code":"KEY","message":"bad KEY","requiredScope":"KEY","details":{"KEY":["KEY"]}}}`, "KEY", key(x)))
		}},
		{name: "502, headers with the key", by: "handler", class: serverFailed, status: 502, reply: func(x *exchange) {
			x.w.Header().Set("X-Request-Id", key(x))
			x.w.Header().Set("X-Echo", "X-Api-Key: "+key(x))
			x.w.Header()[key(x)] = []string{"a name"}
			x.send(502, "text/html", "")
		}},
		{name: "success, headers with the key", by: "handler", class: noFault, reply: func(x *exchange) {
			x.w.Header().Set("X-Echo", "X-Api-Key: "+key(x))
			x.pass()
		}},
		{name: "307 to an address with the key", by: "handler", class: refusal, status: 307, reply: func(x *exchange) {
			x.w.Header().Set("Location", "http://elsewhere.test/?key="+key(x))
			x.w.WriteHeader(307)
		}},
	}
}
