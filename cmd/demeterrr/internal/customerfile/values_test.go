package customerfile

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/nyaruka/phonenumbers"
)

// The fast path must agree with package phonenumbers.
func TestCommonNumbersAreThoseOfThePackage(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	common, n := 0, 20_000
	if testing.Short() {
		n = 2000
	}
	for range n {
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
		number, err := phonenumbers.Parse(text, "")
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if want := phonenumbers.Format(number, phonenumbers.E164); got != want || phonenumbers.IsPossibleNumberWithReason(number) != phonenumbers.IS_POSSIBLE {
			t.Fatalf("%s: got %s, want %s", text, got, want)
		}
	}
	if common < n/5 {
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

func TestPhonesAreReadOrLeftOut(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ cell, region, want string }{
		{"0049 170 1234567", "", "+491701234567"},
		{"0049 170 1234567", "FR", "+491701234567"},
		{"011 49 170 1234567", "US", "+491701234567"},
		{"0170 1234567", "DE", "+491701234567"},
		{"1701234567", "DE", "+491701234567"},   // Excel dropped the leading zero
		{"491701234567", "DE", ""},              // 0491 701234567 is valid, too
		{"33612345678", "FR", "+33612345678"},   // no French number has 11 digits
		{"33612345678.0", "FR", "+33612345678"}, // from a table of floats
		{"15550100002", "US", "+15550100002"},   //
		{"=+15550100002", "", "+15550100002"},   // a spreadsheet's form of +1555
		{`="+15550100002"`, "", "+15550100002"}, //
		{"'+15550100002", "", "+15550100002"},   //
		{"+15550100002 (mobile)", "", "+15550100002"},
		{"+15550100002 / +15550100003", "", "+15550100002"},
		{"tel:+15550100002", "", "+15550100002"},
		{"4.91701E+11", "DE", ""},
		{"4,91701E+11", "DE", ""},
		{"0", "DE", ""},
		{"+0", "", ""},
		{"0000000", "DE", ""},
		{"call me", "DE", ""},
		{"00", "", ""},
		{"+", "", ""},
		{"#REF!", "DE", ""},
		{"12", "DE", ""},
		{"170 12 34", "", ""},
	} {
		got, problem := phone(c.cell, c.region)
		if got != c.want || got == "" && problem == "" {
			t.Errorf("phone(%q, %q) = %q, %q, want %q", c.cell, c.region, got, problem, c.want)
		}
	}
}
