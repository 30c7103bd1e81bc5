package customerfile

import (
	"fmt"
	"hash/maphash"

	"github.com/demeterrr/demeterrr-go/bulk"
)

// people indexes contacts with several rows, and rows with special treatment.
type people struct {
	shared  map[personKey]person
	special []uint64 // one bit per row: opted out, or one of several
}

type personKey [2]uint64

type person struct {
	row  int // the selected row
	out  int // the row with an opt-out; 0 for none
	last int // the last row with the email
	many bool
}

var seeds = [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}

func keyOf(email string) personKey {
	key := bulk.EmailKey(email)
	return personKey{maphash.String(seeds[0], key), maphash.String(seeds[1], key)}
}

func (p *people) mark(row int) {
	for row/64 >= len(p.special) {
		p.special = append(p.special, make([]uint64, 1+len(p.special))...)
	}
	p.special[row/64] |= 1 << (row % 64)
}

func (p *people) isSpecial(row int) bool {
	return row/64 < len(p.special) && p.special[row/64]&(1<<(row%64)) != 0
}

// index reads the whole file. It finds contacts with several rows and
// opt-outs.
func (f *File) index(lastWins bool) error {
	all := map[personKey]person{}
	for rec, err := range f.records() {
		if err != nil {
			return err
		}
		f.mapping.Rows++
		email, _, invalid := f.reader.invalid(rec)
		if invalid != "" {
			continue
		}
		key := keyOf(email)
		p := all[key]
		if p.last != 0 {
			p.many = true
			f.people.mark(p.last)
			f.people.mark(rec.number)
		}
		p.last = rec.number
		if column, _ := f.reader.optedOut(rec.cells); column >= 0 {
			f.mapping.Columns[column].OptedOut++
			f.people.mark(rec.number)
			p.out = rec.number
		}
		if (p.row == 0 || lastWins) && f.reader.filtered(rec.cells) == "" {
			p.row = rec.number
		}
		all[key] = p
	}
	f.people.shared = map[personKey]person{}
	for key, p := range all {
		if p.many {
			f.people.shared[key] = p
		}
	}
	return nil
}

// classify marks a row as a duplicate or an opt-out.
func (f *File) classify(row *Row, email string) {
	p := f.people.shared[keyOf(email)]
	if p.row != 0 && p.row != row.Number {
		row.Status, row.Reason = Duplicate, fmt.Sprintf("row %d has the same email and is used", p.row)
		return
	}
	if column, reason := f.reader.optedOut(row.Cells); column >= 0 {
		row.Status, row.Reason = OptedOut, reason
	} else if p.out != 0 {
		row.Status, row.Reason = OptedOut, fmt.Sprintf("row %d, with the same email, opted out", p.out)
	}
}
