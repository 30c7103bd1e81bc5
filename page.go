package demeterrr

// Page is one page of a list (API docs, page "pagination").
type Page[T any] struct {
	// Items are the page's, in the API's order, which is not documented.
	Items []T
	// Page is the number of this page; the first is 1.
	Page int
	// PerPage is the number of items asked for, as the API reports it; whether it shows the cap of 100 is not documented.
	PerPage int
	// Total is the number of items on all pages.
	Total int
	// TotalPages is the number of pages; for an empty list it is 0 or 1.
	TotalPages int
}
