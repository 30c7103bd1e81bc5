package svg

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestAPictureIsXMLAndNamesItsCommand(t *testing.T) {
	t.Parallel()
	p := New("go run ./draw", 100, 50, `"a" < b & c`)
	p.Text(1, 2, "note", "end", "1 < 2 & 3")
	p.Text(1, 2, "", "", "plain")
	picture := p.End()
	if !strings.HasPrefix(picture, "<!-- Made by: go run ./draw -->\n") {
		t.Errorf("it begins with %.60q", picture)
	}
	var texts []string
	for decoder := xml.NewDecoder(strings.NewReader(picture)); ; {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if text, ok := token.(xml.CharData); ok {
			texts = append(texts, strings.TrimSpace(string(text)))
		}
	}
	if all := strings.Join(texts, "|"); !strings.Contains(all, "1 < 2 & 3") || !strings.Contains(all, "plain") {
		t.Errorf("the texts are %q", texts)
	}
}

func TestNiceStepsDivideInFiveAtTheMost(t *testing.T) {
	t.Parallel()
	for highest, want := range map[float64]float64{0: 1, 5: 1, 6: 2, 23: 5, 26: 10, 941: 200, 5001: 2000} {
		if got := NiceStep(highest); got != want {
			t.Errorf("%v: %v, want %v", highest, got, want)
		}
	}
}

func TestThousandsAreSetApart(t *testing.T) {
	t.Parallel()
	for count, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 123456: "123,456", 1234567: "1,234,567"} {
		if got := Thousands(count); got != want {
			t.Errorf("%d: %q, want %q", count, got, want)
		}
	}
}
