package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rivo/uniseg"
)

func TestATableFitsTheTerminal(t *testing.T) {
	t.Parallel()
	all := &table{headers: []string{"name", "tags", "id"}, whole: []string{"id"}}
	all.add(nil, "日本語の長い名前です", "vip, frequent-customer, newsletter", "880e8400")
	all.add(nil, "Bo", "", "660e8400")
	for width, want := range map[int]string{
		80: "name                  tags                                id\n日本語の長い名前です  vip, frequent-customer, newsletter  880e8400\nBo                                                        660e8400\n",
		40: "name            tags          id\n日本語の長い…   vip, frequent…  880e8400\n",
		30: "name: 日本語の長い名前です\ntags: vip, frequent-customer, newsletter\nid: 880e8400\n\nname: Bo\nid: 660e8400\n",
	} {
		var b bytes.Buffer
		if err := all.text(&b, width); err != nil {
			t.Fatal(err)
		}
		if width == 40 {
			for line := range strings.Lines(b.String()) {
				if w := uniseg.StringWidth(strings.TrimSuffix(line, "\n")); w > width {
					t.Errorf("%d columns: %s", w, line)
				}
			}
			if !strings.Contains(b.String(), "…") || !strings.Contains(b.String(), "880e8400") {
				t.Errorf("\n%s", b.String())
			}
			continue
		}
		if diff := cmp.Diff(want, b.String()); diff != "" {
			t.Errorf("%d columns: %s", width, diff)
		}
	}
}

func TestAListIsBrokenAtItsCommas(t *testing.T) {
	t.Parallel()
	for list, want := range map[string]string{
		"Done: 12 sent, 3 failed":       "Done: 12 sent,\n    3 failed",
		"  12 sent, 3 failed":           "  12 sent,\n    3 failed",
		"  1 sent, 2 bad":               "  1 sent, 2 bad",
		"exactly, 16, ok.":              "exactly, 16, ok.",
		"exactly, 16, ok, more":         "exactly, 16, ok,\n    more",
		"日本語の長い, 名前, x":                 "日本語の長い,\n    名前, x",
		"  a word longer than all, 1":   "  a word longer than all,\n    1",
		"1 2 3 4 5 6 7 8 9 10 11 12 13": "1 2 3 4 5 6 7 8 9 10 11 12 13",
		"":                              "",
	} {
		if diff := cmp.Diff(want, wrapAt(list, 16)); diff != "" {
			t.Errorf("%q: %s", list, diff)
		}
	}
}

func TestACellIsNoFormula(t *testing.T) {
	t.Parallel()
	for cell, want := range map[string]string{
		"=1+2": "'=1+2", " @x": "' @x", "-1": "'-1", "+15551234567": "+15551234567", "+1 555": "'+1 555", "Jane": "Jane", "": "",
	} {
		if got := harmless(cell); got != want {
			t.Errorf("%q: %q, want %q", cell, got, want)
		}
	}
}

func TestCount(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]string{0: "0 rows", 1: "1 row", 999: "999 rows", 1234567: "1,234,567 rows"} {
		if got := count(n, "row"); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}
