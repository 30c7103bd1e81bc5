// Package pagetest tests the page of demeterrr fake in a real browser. It builds
// the program and starts it; the browser is a Chromium without a window. It is a
// module of its own, so that no user gets the library that drives the browser.
package pagetest
