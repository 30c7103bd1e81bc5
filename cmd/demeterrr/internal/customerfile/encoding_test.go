package customerfile

import (
	"bytes"
	"strings"
	"testing"

	"golang.org/x/text/encoding/charmap"
)

var westernNames = strings.Fields(`José Jürgen Zoë Amélie François Siobhán Muñoz João Conceição Jörg Müller Weiß Groß Ängström Åsa Øystein Søren
	Ève Élodie Noël Hélène Chloé Gérard Çelik Núñez Íñigo Ángel Günther Öztürk Übel Niccolò Zoé Joël Loïc Benoît Jérôme Sébastien Agnès
	JOSÉ MÜLLER MUÑOZ GÖTZ FRANÇOIS Strauß Gößling Peña Avô Mãe Sørensen Ødegård`)

// One name is enough to detect the encoding. Otherwise Open fails. It never
// picks the wrong encoding.
func TestOneNameShowsTheEncoding(t *testing.T) {
	t.Parallel()
	asked, all := 0, 0
	for _, name := range westernNames {
		for _, c := range []struct {
			want string
			m    *charmap.Charmap
			ends []string
		}{{encodingWindows, charmap.Windows1252, []string{"\r\n", "\n"}}, {encodingMac, charmap.Macintosh, []string{"\r", "\n"}}} {
			for _, end := range c.ends {
				text, err := c.m.NewEncoder().String("Email,First name" + end + "a@example.com," + name + end)
				if err != nil {
					t.Fatal(err)
				}
				got, err := surveyBytes(strings.NewReader(text))
				all++
				switch {
				case err != nil:
					asked++
				case got != c.want:
					t.Errorf("%s in %s with %q is taken for %s", name, c.want, end, got)
				}
			}
		}
	}
	t.Logf("%d of %d are asked for", asked, all)
	if asked > all/20 {
		t.Errorf("%d of %d are asked for", asked, all)
	}
}

func TestLettersAcrossChunksAreWhole(t *testing.T) {
	t.Parallel()
	for shift := range 5 {
		text := strings.Repeat("x", 1<<16-shift) + strings.Repeat("é€😀", 30_000)
		if got, err := surveyBytes(strings.NewReader(text)); err != nil || got != encodingUTF8 {
			t.Errorf("shift %d: %s, %v", shift, got, err)
		}
	}
}

func TestOtherScriptsAreAskedFor(t *testing.T) {
	t.Parallel()
	for text, m := range map[string]*charmap.Charmap{
		"Иван Петров, Мария": charmap.Windows1251, "Γιώργος Παπαδόπουλος": charmap.Windows1253, "Wałęsa, Paweł": charmap.Windows1250, "שלום": charmap.Windows1255,
	} {
		b, err := m.NewEncoder().String(text)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := surveyBytes(strings.NewReader("Email,Name\r\na@example.com," + b + "\r\n")); err == nil {
			t.Errorf("%s is taken for %s", text, got)
		}
	}
}

func TestSymbolsDoNotDecide(t *testing.T) {
	t.Parallel()
	text := []byte("Email,Note\r\na@example.com,\"20 \x80, \x93fine\x94 \x96 5\xb0\xa0C\"\r\n") // € “” – ° in Windows-1252
	if got, err := surveyBytes(bytes.NewReader(text)); err != nil || got != encodingWindows {
		t.Errorf("%s, %v", got, err)
	}
}
