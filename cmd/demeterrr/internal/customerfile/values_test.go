package customerfile

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/nyaruka/phonenumbers"
)

// The fast way must say what package phonenumbers says.
func TestCommonNumbersAreThoseOfThePackage(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	common := 0
	for range 20_000 {
		country := commonNumbers[random.IntN(len(commonNumbers))]
		digits := make([]byte, country.digits-1+random.IntN(3))
		for i := range digits {
			digits[i] = "0123456789"[random.IntN(10)]
		}
		text := "+" + country.code + string(digits)
		if random.IntN(2) == 0 {
			text = fmt.Sprintf("+%s (%s) %s-%s", country.code, digits[:2], digits[2:5], digits[5:])
		}
		got := commonNumber(text)
		if got == "" {
			continue
		}
		common++
		n, err := phonenumbers.Parse(text, "")
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if want := phonenumbers.Format(n, phonenumbers.E164); got != want || phonenumbers.IsPossibleNumberWithReason(n) != phonenumbers.IS_POSSIBLE {
			t.Fatalf("%s: got %s, want %s", text, got, want)
		}
	}
	if common < 4000 {
		t.Errorf("%d numbers are common", common)
	}
}

func TestTextsAreTrimmed(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"": "", " a ": "a", "\u00a0\u200ba\ufeff": "a", "'t Hooft": "'t Hooft", "'007": "007", "'+1": "+1", "'-": "-", `="007"`: "007",
		`="a""b"`: `a"b`, "=1+1": "=1+1", "'": "'", "'=SUM(A1)": "=SUM(A1)", "\x00a\x1f": "a",
	} {
		if got := clean(in); got != want {
			t.Errorf("clean(%q) = %q, want %q", in, got, want)
		}
	}
	if got := text(" Ann\r\n\tvan  Lee "); got != "Ann van Lee" {
		t.Errorf("got %q", got)
	}
}
