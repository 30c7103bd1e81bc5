package main

import (
	"encoding/json"
	"fmt"
	"strings"
)

const (
	rows     = 735 // of the customer file, without the duplicate at its end
	recent   = 26  // at its end: customers that the account does not have
	renamed  = 55  // every 55th has another last name in the account
	optedOut = 67  // every 67th has unsubscribed
	invalid  = 400 // the row without an email
)

// Their lengths have no common factor, so 783 people have different names.
var (
	firstNames = strings.Fields("Ana Ben Chloe David Elif Finn Grace Hugo Ines Jonas Kim Lucia Marta Noah Olga Pablo Quinn Rosa " +
		"Sofia Tom Uma Victor Wanda Xenia Yusuf Zoe Aiden")
	lastNames = strings.Fields("Adams Berger Costa Dubois Evans Fischer Garcia Hansen Ivanov Jones Keller Lopez Meyer Novak Owens " +
		"Park Quist Rossi Silva Taylor Urban Vogel Weber Xu Young Zimmer Bauer Clark Diaz")
)

type customer struct{ email, first, last string }

func person(i int) customer {
	first, last := firstNames[i%len(firstNames)], lastNames[i%len(lastNames)]
	return customer{strings.ToLower(first + "." + last + "@example.com"), first, last}
}

// customerFile is a file as a shop exports it.
func customerFile() string {
	var b strings.Builder
	b.WriteString("Email,First name,Last name,Newsletter\n")
	for i := range rows {
		c, newsletter := person(i), "subscribed"
		if i%optedOut == 5 {
			newsletter = "unsubscribed"
		}
		if i == invalid {
			c.email = strings.ReplaceAll(c.email, "@", " at ")
		}
		fmt.Fprintf(&b, "%s,%s,%s,%s\n", c.email, c.first, c.last, newsletter)
	}
	c := person(2)
	fmt.Fprintf(&b, "%s,%s,%s,subscribed\n", strings.ToUpper(c.email[:1])+c.email[1:], c.first, c.last)
	return b.String()
}

// accountSeed is what the fake begins with, in the API's names.
func accountSeed() string {
	type contact struct {
		Email     string `json:"email"`
		FirstName string `json:"firstName"`
		LastName  string `json:"lastName"`
	}
	var seed struct {
		Contacts  []contact           `json:"contacts"`
		Sequences []map[string]string `json:"sequences"`
	}
	for i := range rows - recent {
		c := person(i)
		if i%renamed == 3 {
			c.last = lastNames[(i+1)%len(lastNames)]
		}
		seed.Contacts = append(seed.Contacts, contact{c.email, c.first, c.last})
	}
	seed.Sequences = []map[string]string{{"id": "880e8400-e29b-41d4-a716-446655440000", "name": "Post-Purchase Survey"}}
	text, _ := json.Marshal(seed) // it has texts only
	return string(text)
}
