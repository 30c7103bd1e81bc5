package main

import (
	"fmt"
	"testing"
)

func TestMixedTry(t *testing.T) {
	t.Parallel()
	for _, s := range mixedSettings() {
		for _, by := range ways() {
			t.Run(fmt.Sprint(s, by.name), func(t *testing.T) {
				t.Parallel()
				r := mixed(t, s, by)
				t.Logf("%d accepted, %d 429s, web %d, failed %d, waits %v %v, finish %v min %v ratio %.4f", len(r.accepted), len(r.refused), r.webCalls, len(r.failed), r.wait(50), r.wait(99), r.finish, r.minimum, r.ratio())
			})
		}
	}
}
