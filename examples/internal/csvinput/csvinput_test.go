package csvinput_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/demeterrr/demeterrr-go/examples/internal/csvinput"
)

func TestColumnsAreGuessed(t *testing.T) {
	t.Parallel()
	want := []csvinput.Row{
		{Line: 2, Email: "a@example.com", FirstName: "Ann", LastName: "Lee"},
		{Line: 3, Email: "b@example.com", FirstName: "Bo", LastName: "Day, Jr."},
	}
	for name, file := range map[string]string{
		"plain":        "Email,First Name,Last Name\na@example.com,Ann,Lee\nb@example.com,Bo,\"Day, Jr.\"\n",
		"other names":  "E-mail,first_name,SURNAME\na@example.com,Ann,Lee\nb@example.com,Bo,\"Day, Jr.\"\n",
		"BOM and CRLF": "\ufeffEmail Address,Given name,Family-Name\r\na@example.com,Ann,Lee\r\nb@example.com,Bo,\"Day, Jr.\"\r\n",
		"semicolons":   "Prénom;Nom;Courriel\nAnn;Lee;a@example.com\nBo;Day, Jr.;b@example.com\n",
		"tabs, spaces": "Email\tFirst\tLast\n a@example.com\tAnn \tLee\nb@example.com\tBo\tDay, Jr.\n",
		"more columns": "Id,Email,First,Last,Notes\n1,a@example.com,Ann,Lee,x\n2,b@example.com,Bo,\"Day, Jr.\"\n",
	} {
		r, err := csvinput.NewReader(strings.NewReader(file), csvinput.Options{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var got []csvinput.Row
		for row, err := range r.Rows() {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			got = append(got, row)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if r.Line(1) != 3 {
			t.Errorf("%s: the second row is in line %d", name, r.Line(1))
		}
	}
}

func TestColumnsCanBeNamed(t *testing.T) {
	t.Parallel()
	const file = "Mail privat,E-Mail,Vorname,Tier,Tags\nx@example.com,a@example.com,Ann,Gold,\"vip, new\"\n,b@example.com,,,\n"
	r, err := csvinput.NewReader(strings.NewReader(file), csvinput.Options{
		Columns: map[string]string{"email": "Mail privat", "firstName": "Vorname"}, Custom: []string{"Tier"},
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []csvinput.Row
	for row, err := range r.Rows() {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, row)
	}
	want := []csvinput.Row{
		{Line: 2, Email: "x@example.com", FirstName: "Ann", Tags: []string{"vip", "new"}, Custom: map[string]any{"Tier": "Gold"}},
		{Line: 3},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff("Mail privat → email, E-Mail → not read, Vorname → firstName, Tier → custom field Tier, Tags → tags", r.Columns()); diff != "" {
		t.Error(diff)
	}
}

func TestAFileThatCannotBeUnderstoodIsRefused(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		file    string
		options csvinput.Options
		want    string
	}{
		"empty":            {"", csvinput.Options{}, "is empty"},
		"no email":         {"Name,Phone\n", csvinput.Options{}, "-map email="},
		"two emails":       {"Email,E-Mail\n", csvinput.Options{}, `say which one`},
		"UTF-16":           {"\xff\xfeE\x00m\x00", csvinput.Options{}, "UTF-8"},
		"no such column":   {"Email\n", csvinput.Options{Columns: map[string]string{"phone": "Handy"}}, `no column "Handy"`},
		"no such field":    {"Email\n", csvinput.Options{Columns: map[string]string{"fax": "Email"}}, `no field "fax"`},
		"no custom column": {"Email\n", csvinput.Options{Custom: []string{"Tier"}}, `no column "Tier"`},
	} {
		if _, err := csvinput.NewReader(strings.NewReader(tt.file), tt.options); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}

func TestABrokenRowEndsTheRowsWithItsLine(t *testing.T) {
	t.Parallel()
	r, err := csvinput.NewReader(strings.NewReader("Email\na@example.com\n\"b@example.com\n"), csvinput.Options{})
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	for _, err = range r.Rows() {
		rows++
	}
	if err == nil || rows != 2 || !strings.Contains(err.Error(), "line 3") {
		t.Error(rows, err)
	}
}
