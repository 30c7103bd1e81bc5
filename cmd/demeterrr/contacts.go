package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/demeterrr/demeterrr-go"
)

// contactTable returns the main fields for display.
func contactTable(contacts []*demeterrr.Contact) *table {
	t := &table{headers: []string{"email", "first name", "last name", "phone", "tags", "unsubscribed", "id"}, whole: []string{"id"}}
	for _, c := range contacts {
		unsubscribed := ""
		if c.Unsubscribed {
			unsubscribed = "yes"
		}
		t.add(c, c.Email, c.FirstName, c.LastName, c.Phone, strings.Join(c.Tags, ", "), unsubscribed, c.ID)
	}
	return t
}

// contactCSV returns all fields. Sync recognizes its headers.
func contactCSV(contacts []*demeterrr.Contact) *table {
	keys := map[string]bool{}
	for _, c := range contacts {
		for key := range c.CustomFields {
			keys[key] = true
		}
	}
	custom := slices.Sorted(maps.Keys(keys))
	t := &table{headers: []string{
		"id", "email", "firstName", "lastName", "phone", "title", "preferredLanguage", "locationId", "contactOrganizationId",
		"tags", "unsubscribed", "createdAt", "updatedAt",
	}}
	for _, key := range custom {
		t.headers = append(t.headers, "customFields."+key)
	}
	for _, c := range contacts {
		cells := []string{
			c.ID, c.Email, c.FirstName, c.LastName, c.Phone, c.Title, string(c.PreferredLanguage), c.LocationID, c.ContactOrganizationID,
			tagCell(c.Tags), strconv.FormatBool(c.Unsubscribed), timeCell(c.CreatedAt), timeCell(c.UpdatedAt),
		}
		for _, key := range custom {
			cells = append(cells, valueCell(c.CustomFields[key]))
		}
		t.add(c, cells...)
	}
	return t
}

// tagCell joins tags, and quotes a tag with a separator in it.
func tagCell(tags []string) string {
	quoted := make([]string, len(tags))
	for i, tag := range tags {
		quoted[i] = tag
		if strings.ContainsAny(tag, ",;|\n") {
			quoted[i] = `"` + tag + `"`
		}
	}
	return strings.Join(quoted, ",")
}

func timeCell(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}

// valueCell formats a custom field: a string verbatim, other values as JSON.
func valueCell(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	}
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(text)
}

// printContacts prints contacts in the format of --output.
func (a *app) printContacts(contacts []*demeterrr.Contact) error {
	if a.output == "csv" {
		return a.print(contactCSV(contacts))
	}
	return a.print(contactTable(contacts))
}
