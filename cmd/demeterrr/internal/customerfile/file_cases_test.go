package customerfile_test

import (
	"strings"

	"golang.org/x/text/encoding/charmap"

	"github.com/demeterrr/demeterrr-go/cmd/demeterrr/internal/customerfile"
)

type options = customerfile.Options

// fileCase is an export of a product and the expected outcome.
type fileCase struct {
	name    string
	file    string // in testdata; empty for text
	text    string
	options options
	want    outcome
}

// outcome is the result of a file. Ready rows are request bodies.
type outcome struct {
	mapping string
	rows    []string
	listed  []string // invalid rows, duplicates and omitted parts
	leftOut []string // rows of opted-out contacts
	err     string
}

func lines(all ...string) string { return strings.Join(all, "\n") + "\n" }

var fileCases = []fileCase{
	{
		name: "activecampaign status",
		file: "activecampaign_status.csv",
		want: outcome{
			mapping: `utf-8 ",", header 1, Email=email, First Name=firstName, Last Name=lastName, Phone=phone, Tags=tags, Status? (4 in Status)`,
			rows: []string{
				"2|amelie.bouchard@example.com||Amélie|Bouchard|+15550101000",
				`5|jose.munoz@example.com||José|Muñoz|+15550101003||["prospect" "webinar"]`,
			},
			leftOut: []string{
				`3 juergen.weiss@example.com: Status is "Unsubscribed"`,
				`4 siobhan.oneill@example.com: Status is "Bounced"`,
				`6 priya.nair@example.com: Status is "Unsubscribed"`,
				`7 tom.baker@example.com: Status is "Bounced"`,
			},
		},
	},
	{
		name: "bare quote in row 150",
		file: "bare_quote_in_row_150.csv",
		want: outcome{
			mapping: `utf-8 ",", header 1, Email=email, First name=firstName, Last name=lastName, Phone=phone, Tags=tags`,
			rows: []string{
				`2|p000@example.com||Pat0|Doe|+15550101000||["vip"]`,
				`3|p001@example.com||Pat1|Doe|+15550101001||["vip"]`,
				"… 250 in all",
				`251|p249@example.com||Pat249|Doe|+15550101249||["vip"]`,
			},
		},
	},
	{
		name: "clinic shared email",
		file: "clinic_shared_email.csv",
		want: outcome{
			mapping: `utf-8 ",", header 1, First Name=firstName, Last Name=lastName, Phone=phone, Email=email`,
			rows: []string{
				"2|amelie.bouchard@example.com||Amélie|Bouchard|+2348011111000",
				"4|juergen.weiss@example.com||Siobhán|O'Neill|+2348011111002",
				"… 6 in all",
				"9|ada.okafor@example.com||Ada|Okafor|+2348011111007",
			},
			listed: []string{
				"3 duplicate: row 2 has the same email and is used",
				"5 duplicate: row 4 has the same email and is used",
			},
		},
	},
	{
		name: "cr only line ends",
		file: "cr_only_line_ends.csv",
		want: outcome{
			mapping: `utf-8 ",", header 1, Email=email, First name=firstName, Last name=lastName, Phone=phone, Tags=tags`,
			rows: []string{
				`2|amelie.bouchard@example.com||Amélie|Bouchard|+15550101000||["vip"]`,
				`3|juergen.weiss@example.com||Jürgen|Weiß|+15550101001||["vip"]`,
				"… 6 in all",
				`7|tom.baker@example.com||Tom|Baker|+15550101005||["vip"]`,
			},
		},
	},
	{
		name: "duplicate email header",
		file: "duplicate_email_header.csv",
		want: outcome{
			err: `2 columns could be email: "Email" (#2), "Email" (#3); choose one with --map email=#2, or exclude the others with --ignore`,
		},
	},
	{
		name: "excel phone",
		file: "excel_phone.csv",
		want: outcome{
			mapping: `utf-8 ",", header 1, Email=email, First name=firstName, Phone=phone`,
			rows:    []string{"2|a@example.com||Ann", "3|b@example.com||Bo", "… 7 in all", "8|g@example.com||Gus"},
			listed: []string{
				"2 the phone is left out: it is not a valid number",
				"3 the phone is left out: it has no country code; add --region",
				"5 the phone is left out: it is not a valid number",
				"7 the phone is left out: it is not a valid number",
				"8 the phone is left out: it is not a valid number",
			},
		},
	},
	{
		name: "french windows 1252",
		file: "french_windows_1252.csv",
		want: outcome{
			mapping: `windows-1252 ";", header 1, Nom=lastName, Prénom=firstName, Email=email, Téléphone=phone, Statut?`,
			rows: []string{
				"2|amelie.bouchard@example.com||Amélie|Bouchard|+22997000000",
				"3|juergen.weiss@example.com||Jürgen|Weiß|+22997000001",
				"… 6 in all",
				"7|tom.baker@example.com||Tom|Baker|+22997000005",
			},
		},
	},
	{
		name: "german semicolon vorname",
		file: "german_semicolon_vorname.csv",
		want: outcome{
			mapping: `utf-8 ";", header 1, Vorname=firstName, Nachname=lastName, E-Mail=email, Telefon=phone, Tags=tags`,
			rows: []string{
				`2|amelie.bouchard@example.com||Amélie|Bouchard|+4930120||["Arbeit" "VIP"]`,
				`3|juergen.weiss@example.com||Jürgen|Weiß|+4930121||["Arbeit" "VIP"]`,
				"… 6 in all",
				`7|tom.baker@example.com||Tom|Baker|+4930125||["Arbeit" "VIP"]`,
			},
		},
	},
	{
		name: "google contacts new",
		file: "google_contacts_new.csv",
		want: outcome{
			mapping: `utf-8 ",", header 1, First Name=firstName, Last Name=lastName, Name Prefix=title, Labels=tags, E-mail 1 - Value=email, Phone 1 - Value=phone`,
			rows: []string{
				`2|amelie.bouchard@example.com|Dr.|Amélie|Bouchard|+15550101000||["VIP" "Book club"]`,
				`3|juergen.weiss@example.com|Dr.|Jürgen|Weiß|+15550101001||["VIP" "Book club"]`,
				"… 6 in all",
				`7|tom.baker@example.com|Dr.|Tom|Baker|+15550101005||["VIP" "Book club"]`,
			},
			listed: []string{
				"3 the phone cell has several numbers: the first one is used",
				"3 the email cell has 2 addresses: the first one is used",
			},
		},
	},
	{
		name: "google contacts utf16",
		file: "google_contacts_utf16.csv",
		want: outcome{
			mapping: `utf-16le ",", header 1, Given Name=firstName, Family Name=lastName, Name Prefix=title, Language=preferredLanguage, Group Membership=tags, E-mail 1 - Value=email, Phone 1 - Value=phone`,
			rows: []string{
				`2|amelie.bouchard@example.com||Amélie|Bouchard|+15550101000||["VIP"]`,
				`3|juergen.weiss@example.com||Jürgen|Weiß|+15550101001||["VIP"]`,
				"… 6 in all",
				`7|tom.baker@example.com||Tom|Baker|+15550101005||["VIP"]`,
			},
		},
	},
	{
		name: "mailchimp tags quoted",
		file: "mailchimp_tags_quoted.csv",
		want: outcome{
			mapping: `utf-8 ",", header 1, Email Address=email, First Name=firstName, Last Name=lastName, Phone Number=phone, TAGS=tags`,
			rows: []string{
				`2|amelie.bouchard@example.com||Amélie|Bouchard|||["VIP" "Blog"]`,
				"3|juergen.weiss@example.com||Jürgen|Weiß",
				"… 6 in all",
				"7|tom.baker@example.com||Tom|Baker",
			},
			listed: []string{
				"2 the phone is left out: it has no country code; add --region",
				"3 the phone is left out: it has no country code; add --region",
				"4 the phone is left out: it has no country code; add --region",
				"5 the phone is left out: it has no country code; add --region",
				"6 the phone is left out: it has no country code; add --region",
				"7 the phone is left out: it has no country code; add --region",
			},
		},
	},
	{
		name: "mailchimp unsubscribed file",
		file: "mailchimp_unsubscribed_file.csv",
		want: outcome{
			mapping: `utf-8 ",", header 1, Email Address=email, First Name=firstName, Last Name=lastName, Phone Number=phone, UNSUB_TIME? (5 in UNSUB_TIME), UNSUB_CAMPAIGN_TITLE?, UNSUB_CAMPAIGN_ID?, UNSUB_REASON?, UNSUB_REASON_OTHER?, TAGS=tags`,
			leftOut: []string{
				"2 amelie.bouchard@example.com: UNSUB_TIME is set",
				"3 juergen.weiss@example.com: UNSUB_TIME is set",
				"4 siobhan.oneill@example.com: UNSUB_TIME is set",
				"5 jose.munoz@example.com: UNSUB_TIME is set",
				"6 priya.nair@example.com: UNSUB_TIME is set",
			},
		},
	},
	{
		name: "outlook language english",
		file: "outlook_language_english.csv",
		want: outcome{
			mapping: `utf-8 ",", header 1, First Name=firstName, Last Name=lastName, Title=title, Language=preferredLanguage, E-mail Address=email, Mobile Phone=phone, Categories=tags`,
			rows: []string{
				`2|amelie.bouchard@example.com|Mr.|Amélie|Bouchard|+15550101000|en|["VIP" "Friends"]`,
				`3|juergen.weiss@example.com|Mr.|Jürgen|Weiß|+15550101001||["VIP" "Friends"]`,
				"… 6 in all",
				`7|tom.baker@example.com|Mr.|Tom|Baker|+15550101005||["VIP" "Friends"]`,
			},
		},
	},
	{
		name: "pipe delimiter",
		file: "pipe_delimiter.csv",
		want: outcome{
			mapping: `utf-8 "|", header 1, Email=email, First name=firstName, Last name=lastName`,
			rows: []string{
				"2|amelie.bouchard@example.com||Amélie|Bouchard",
				"3|juergen.weiss@example.com||Jürgen|Weiß",
				"… 6 in all",
				"7|tom.baker@example.com||Tom|Baker",
			},
		},
	},
	{
		name: "ragged row",
		file: "ragged_row.csv",
		want: outcome{
			mapping: `utf-8 ",", header 1, Email=email, First name=firstName, Last name=lastName, Phone=phone, Tags=tags`,
			rows:    []string{`2|ann@example.com||Ann|Lee|+15550100001||["vip"]`, "4|cy@example.com||Cy"},
			listed:  []string{"3 invalid: the row has 6 cells for 5 columns: quote the cells that contain a separator"},
		},
	},
	{
		name: "row number is line",
		file: "row_number_is_line.csv",
		want: outcome{
			mapping: `utf-8 ",", header 1, Email=email, First name=firstName`,
			rows:    []string{"2|p0@example.com||Pat", "3|p1@example.com||Pat", "… 5 in all", "6|p4@example.com||Pat"},
			listed:  []string{"7 invalid: the email is not of the form name@host"},
		},
	},
	{
		name: "sep hint",
		file: "sep_hint.csv",
		want: outcome{
			mapping: `utf-8 ";", header 1, Namn has full names: --map fullName=Namn splits them, E-post=email, Mobil=phone`,
			rows:    []string{"2|amelie.bouchard@example.com", "3|juergen.weiss@example.com", "… 6 in all", "7|tom.baker@example.com"},
			listed: []string{
				"2 the phone is left out: it has no country code; add --region",
				"3 the phone is left out: it has no country code; add --region",
				"4 the phone is left out: it has no country code; add --region",
				"5 the phone is left out: it has no country code; add --region",
				"6 the phone is left out: it has no country code; add --region",
				"7 the phone is left out: it has no country code; add --region",
			},
		},
	},
	{
		name: "shopify apostrophes",
		file: "shopify_apostrophes.csv",
		want: outcome{
			mapping: `utf-8 ",", header 1, First Name=firstName, Last Name=lastName, Email=email, Accepts Email Marketing? (2 in Accepts Email Marketing), Phone=phone, Tags=tags`,
			rows: []string{
				`2|amelie.bouchard@example.com||Amélie|Bouchard|+15550101000||["vip" "wholesale"]`,
				`4|siobhan.oneill@example.com||Siobhán|O'Neill|+15550101002||["vip" "wholesale"]`,
				"… 6 in all",
				`10|guest.checkout@example.com||||||["newsletter"]`,
			},
			listed: []string{"8 invalid: the email is empty"},
			leftOut: []string{
				`3 juergen.weiss@example.com: Accepts Email Marketing is "no"`,
				`5 jose.munoz@example.com: Accepts Email Marketing is "no"`,
			},
		},
	},
	{
		name: "spanish",
		file: "spanish.csv",
		want: outcome{
			mapping: `utf-8 ",", header 1, Nombre de pila=firstName, Apellido=lastName, Correo electrónico=email, Teléfono=phone`,
			rows: []string{
				"2|amelie.bouchard@example.com||Amélie|Bouchard|+15550101000",
				"3|juergen.weiss@example.com||Jürgen|Weiß|+15550101001",
				"… 6 in all",
				"7|tom.baker@example.com||Tom|Baker|+15550101005",
			},
		},
	},
	{
		name: "xlsx renamed",
		file: "xlsx_renamed.csv",
		want: outcome{
			err: "the workbook is damaged or has no sheet (EOF); open it in a spreadsheet, and save it as XLSX",
		},
	},
	{
		name: "zero width in email",
		file: "zero_width_in_email.csv",
		want: outcome{
			mapping: `utf-8 ",", header 1, Email=email, First name=firstName, Last name=lastName`,
			rows:    []string{"2|ann@example.com||Ann|Lee", "4|bo@example.com||Bo|Day", "… 5 in all", "7|ed@example.com||Ed|Gray"},
			listed: []string{
				"3 duplicate: row 2 has the same email and is used",
				"8 invalid: the email holds white space or a control character; trim it",
			},
		},
	},
	{
		name:    "duplicate email header, the first one named",
		file:    "duplicate_email_header.csv",
		options: options{Map: []string{"email=#2", "fullName=Name"}},
		want: outcome{
			mapping: `utf-8 ",", header 1, Name=fullName, Email=email`,
			rows: []string{
				"2|amelie.bouchard@example.com||Amélie|Bouchard",
				"3|juergen.weiss@example.com||Jürgen|Weiß",
				"… 6 in all",
				"7|tom.baker@example.com||Tom|Baker",
			},
		},
	},
	{
		name:    "excel phone, with a region",
		file:    "excel_phone.csv",
		options: options{Region: "US"},
		want: outcome{
			mapping: `utf-8 ",", header 1, Email=email, First name=firstName, Phone=phone`,
			rows:    []string{"2|a@example.com||Ann", "3|b@example.com||Bo||+15550100002", "… 7 in all", "8|g@example.com||Gus"},
			listed: []string{
				"2 the phone is left out: it is not a valid number",
				"5 the phone is left out: it is not a valid number",
				"7 the phone is left out: it is not a valid number",
				"8 the phone is left out: it is not a valid number",
			},
		},
	},
	{
		name:    "sep hint, names split, with a region",
		file:    "sep_hint.csv",
		options: options{Map: []string{"fullName=Namn"}, Region: "se"},
		want: outcome{
			mapping: `utf-8 ";", header 1, Namn=fullName, E-post=email, Mobil=phone`,
			rows: []string{
				"2|amelie.bouchard@example.com||Amélie|Bouchard|+46701112230",
				"3|juergen.weiss@example.com||Jürgen|Weiß|+46701112231",
				"… 6 in all",
				"7|tom.baker@example.com||Tom|Baker|+46701112235",
			},
		},
	},
	{
		name:    "shopify, consent ignored",
		file:    "shopify_apostrophes.csv",
		options: options{Ignore: []string{"Accepts Email Marketing"}},
		want: outcome{
			mapping: `utf-8 ",", header 1, First Name=firstName, Last Name=lastName, Email=email, Accepts Email Marketing ignored, Phone=phone, Tags=tags`,
			rows: []string{
				`2|amelie.bouchard@example.com||Amélie|Bouchard|+15550101000||["vip" "wholesale"]`,
				"3|juergen.weiss@example.com||Jürgen|Weiß|+15550101001",
				"… 8 in all",
				`10|guest.checkout@example.com||||||["newsletter"]`,
			},
			listed: []string{"8 invalid: the email is empty"},
		},
	},
	{
		name: "HubSpot",
		text: lines("Record ID,First Name,Last Name,Email,Phone Number,Mobile Phone Number,Marketing contact status,Unsubscribed from all email,Email hard bounce reason,Opted out of email: Marketing Information", "1,Ann,Lee,ann@example.com,(555) 010-0001,+1 555-010-0002,Marketing contact,false,,", "2,Bo,Day,bo@example.com,,,Marketing contact,true,,", "3,Cy,Ek,cy@example.com,,,Non-marketing contact,false,UNKNOWN_USER,", "4,Di,Fox,di@example.com,,,Marketing contact,,,true"),
		want: outcome{
			mapping: `utf-8 ",", header 1, First Name=firstName, Last Name=lastName, Email=email, Mobile Phone Number=phone, Marketing contact status?, Unsubscribed from all email? (1 in Unsubscribed from all email), Email hard bounce reason? (1 in Email hard bounce reason), Opted out of email: Marketing Information? (1 in Opted out of email: Marketing Information)`,
			rows:    []string{"2|ann@example.com||Ann|Lee|+15550100002"},
			leftOut: []string{
				"3 bo@example.com: Unsubscribed from all email is set",
				"4 cy@example.com: Email hard bounce reason is set",
				"5 di@example.com: Opted out of email: Marketing Information is set",
			},
		},
	},
	{
		name: "Klaviyo",
		text: lines("Email,First Name,Last Name,Phone Number,Email Marketing Consent,Email Marketing Consent Timestamp,Email Suppressions,SMS Marketing Consent", "ann@example.com,Ann,Lee,+15550100001,SUBSCRIBED,2025-01-01 10:00:00,[],UNSUBSCRIBED", "bo@example.com,Bo,Day,,UNSUBSCRIBED,2025-01-01 10:00:00,[],", "cy@example.com,Cy,Ek,,NEVER_SUBSCRIBED,,[],", "di@example.com,Di,Fox,,SUBSCRIBED,2025-01-01 10:00:00,HARD_BOUNCE,"),
		want: outcome{
			mapping: `utf-8 ",", header 1, Email=email, First Name=firstName, Last Name=lastName, Phone Number=phone, Email Marketing Consent? (2 in Email Marketing Consent), Email Suppressions? (1 in Email Suppressions)`,
			rows:    []string{"2|ann@example.com||Ann|Lee|+15550100001"},
			leftOut: []string{
				`3 bo@example.com: Email Marketing Consent is "UNSUBSCRIBED"`,
				`4 cy@example.com: Email Marketing Consent is "NEVER_SUBSCRIBED"`,
				"5 di@example.com: Email Suppressions is set",
			},
		},
	},
	{
		name: "WooCommerce customers",
		text: lines("Name,Username,Last Active,Sign Up,Email,Orders,Total Spend,AOV,Country / Region,City", "Ann Lee,ann,2025-01-01,2024-01-01,ann@example.com,2,20.00,10.00,US,Springfield"),
		want: outcome{
			mapping: `utf-8 ",", header 1, Name has full names: --map fullName=Name splits them, Email=email`,
			rows:    []string{"2|ann@example.com"},
		},
	},
	{
		name: "WooCommerce orders",
		text: lines("Order Number,Order Status,Order Date,First Name (Billing),Last Name (Billing),Email (Billing),Phone (Billing),Item Name", `100,Completed,2025-01-01,Ann,Lee,ann@example.com,+15550100001,"Tea, green"`, "101,Cancelled,2025-01-01,Bo,Day,bo@example.com,,Mug", "102,Completed,2025-01-02,Ann,Lee,ANN@example.com,+15550100001,Mug"),
		want: outcome{
			mapping: `utf-8 ",", header 1, Order Status? (1 in Order Status), First Name (Billing)=firstName, Last Name (Billing)=lastName, Email (Billing)=email, Phone (Billing)=phone`,
			rows:    []string{"2|ann@example.com||Ann|Lee|+15550100001"},
			listed:  []string{"4 duplicate: row 2 has the same email and is used"},
			leftOut: []string{`3 bo@example.com: Order Status is "Cancelled"`},
		},
	},
	{
		name: "Brevo in French",
		text: lines("ID_CONTACT;EMAIL;PRENOM;NOM;SMS;EMAIL_BLACKLISTED;SMS_BLACKLISTED", "1;ann@example.com;Ann;Lee;+33612345678;false;true", "2;bo@example.com;Bo;Day;;true;false"),
		want: outcome{
			mapping: `utf-8 ";", header 1, EMAIL=email, PRENOM=firstName, NOM=lastName, SMS=phone, EMAIL_BLACKLISTED? (1 in EMAIL_BLACKLISTED)`,
			rows:    []string{"2|ann@example.com||Ann|Lee|+33612345678"},
			leftOut: []string{"3 bo@example.com: EMAIL_BLACKLISTED is set"},
		},
	},
	{
		name: "Mailchimp cleaned",
		text: lines("Email Address,First Name,Last Name,OPTIN_TIME,CLEAN_TIME,CLEAN_CAMPAIGN_TITLE,LEID,TAGS", `ann@example.com,Ann,Lee,,2025-01-01 10:00:00,,1,""`),
		want: outcome{
			mapping: `utf-8 ",", header 1, Email Address=email, First Name=firstName, Last Name=lastName, CLEAN_TIME? (1 in CLEAN_TIME), CLEAN_CAMPAIGN_TITLE?, TAGS=tags`,
			leftOut: []string{"2 ann@example.com: CLEAN_TIME is set"},
		},
	},
	{
		name:    "Outlook in German",
		text:    lines("Anrede;Vorname;Weitere Vornamen;Nachname;E-Mail-Adresse;E-Mail 2: Adresse;Mobiltelefon;Telefon privat;Sprache;Kategorien", "Frau;Ann;;Lee;ann@example.com;;0171 1234567;030 1;Englisch;VIP;", "Herr;Bo;;Day;bo@example.com;b2@example.com;;;Deutsch;Freunde"),
		options: options{Region: "DE"},
		want: outcome{
			mapping: `utf-8 ";", header 1, Anrede=title, Vorname=firstName, Nachname=lastName, E-Mail-Adresse=email, Mobiltelefon=phone, Sprache=preferredLanguage, Kategorien=tags`,
			rows:    []string{`2|ann@example.com|Frau|Ann|Lee|+491711234567|en|["VIP"]`, `3|bo@example.com|Herr|Bo|Day|||["Freunde"]`},
			listed:  []string{"3 the language is left out: use English or French"},
		},
	},
	{
		name:    "Outlook in French",
		text:    lines("Titre,Prénom,Nom,Adresse de messagerie,Tél. mobile,Langue,Catégories", "M.,Ann,Lee,ann@example.com,06 12 34 56 78,Français,Amis;VIP"),
		options: options{Region: "FR"},
		want: outcome{
			mapping: `utf-8 ",", header 1, Titre=title, Prénom=firstName, Nom=lastName, Adresse de messagerie=email, Tél. mobile=phone, Langue=preferredLanguage, Catégories=tags`,
			rows:    []string{`2|ann@example.com|M.|Ann|Lee|+33612345678|fr|["Amis" "VIP"]`},
		},
	},
	{
		name:    "Outlook in Spanish",
		text:    lines("Título,Nombre,Apellidos,Dirección de correo electrónico,Móvil,Idioma,Categorías", "Sra.,Ana,García López,ana@example.com,612 345 678,Inglés,VIP"),
		options: options{Region: "ES"},
		want: outcome{
			mapping: `utf-8 ",", header 1, Título=title, Nombre=firstName, Apellidos=lastName, Dirección de correo electrónico=email, Móvil=phone, Idioma=preferredLanguage, Categorías=tags`,
			rows:    []string{`2|ana@example.com|Sra.|Ana|García López|+34612345678|en|["VIP"]`},
		},
	},
	{
		name:    "Outlook in Italian",
		text:    lines("Titolo,Nome,Cognome,Indirizzo posta elettronica,Cellulare,Lingua", "Sig.,Anna,Rossi,anna@example.com,333 1234567,Francese"),
		options: options{Region: "IT"},
		want: outcome{
			mapping: `utf-8 ",", header 1, Titolo=title, Nome=firstName, Cognome=lastName, Indirizzo posta elettronica=email, Cellulare=phone, Lingua=preferredLanguage`,
			rows:    []string{"2|anna@example.com|Sig.|Anna|Rossi|+393331234567|fr"},
		},
	},
	{
		name:    "Outlook in Dutch",
		text:    lines("Aanhef;Voornaam;Achternaam;E-mailadres;Mobiele telefoon;Taal", "Dhr.;Jan;de Vries;jan@example.com;06-12345678;Nederlands"),
		options: options{Region: "NL"},
		want: outcome{
			mapping: `utf-8 ";", header 1, Aanhef=title, Voornaam=firstName, Achternaam=lastName, E-mailadres=email, Mobiele telefoon=phone, Taal=preferredLanguage`,
			rows:    []string{"2|jan@example.com|Dhr.|Jan|de Vries|+31612345678"},
			listed:  []string{"2 the language is left out: use English or French"},
		},
	},
	{
		name:    "Outlook in Portuguese",
		text:    lines("Nome,Apelido,Endereço de Correio Eletrónico,Telemóvel,Idioma", "Ana,Sousa,ana@example.com,912 345 678,Inglês"),
		options: options{Region: "PT"},
		want: outcome{
			mapping: `utf-8 ",", header 1, Nome=firstName, Apelido=lastName, Endereço de Correio Eletrónico=email, Telemóvel=phone, Idioma=preferredLanguage`,
			rows:    []string{"2|ana@example.com||Ana|Sousa|+351912345678|en"},
		},
	},
	{
		name: "Salesforce report",
		text: lines("Salutation,First Name,Last Name,Title,Email,Phone,Mobile,Email Opt Out,Email Bounced Reason,Do Not Call", "Ms.,Ann,Lee,CEO,ann@example.com,+15550100009,+15550100001,0,,1", "Mr.,Bo,Day,,bo@example.com,,,1,,0", "Mr.,Cy,Ek,,cy@example.com,,,0,550 unknown user,0", "", "Generated By:  Admin", `"Copyright (c) 2000-2025 salesforce.com, inc. All rights reserved."`),
		want: outcome{
			mapping: `utf-8 ",", header 1, Salutation=title, First Name=firstName, Last Name=lastName, Email=email, Mobile=phone, Email Opt Out? (1 in Email Opt Out), Email Bounced Reason? (1 in Email Bounced Reason)`,
			rows:    []string{"2|ann@example.com|Ms.|Ann|Lee|+15550100001"},
			listed: []string{
				"6 invalid: the row ends before the consent column Email Opt Out: complete the row",
				"7 invalid: the row ends before the consent column Email Opt Out: complete the row",
			},
			leftOut: []string{"3 bo@example.com: Email Opt Out is set", "4 cy@example.com: Email Bounced Reason is set"},
		},
	},
	{
		name: "Zoho",
		text: lines("Record Id,Salutation,First Name,Last Name,Email,Secondary Email,Phone,Email Opt Out,Unsubscribed Mode,Unsubscribed Time,Tag", "z1,Ms.,Ann,Lee,ann@example.com,a2@example.com,+15550100001,false,,,VIP", "z2,Mr.,Bo,Day,bo@example.com,,,true,Consent form,2025-01-01,"),
		want: outcome{
			mapping: `utf-8 ",", header 1, Salutation=title, First Name=firstName, Last Name=lastName, Email=email, Phone=phone, Email Opt Out? (1 in Email Opt Out), Unsubscribed Mode?, Unsubscribed Time?, Tag=tags`,
			rows:    []string{`2|ann@example.com|Ms.|Ann|Lee|+15550100001||["VIP"]`},
			leftOut: []string{"3 bo@example.com: Email Opt Out is set"},
		},
	},
	{
		name:    "Stripe customers",
		text:    lines("id,Description,Email,Name,Created (UTC),Delinquent,Total Spend", "cus_1,,ann@example.com,Ann Lee,2025-01-01 10:00,false,20.00"),
		options: options{Map: []string{"fullName=Name", "customFields.customer=id"}},
		want: outcome{
			mapping: `utf-8 ",", header 1, id=customFields.customer, Email=email, Name=fullName`,
			rows:    []string{"2|ann@example.com||Ann|Lee|||map[customer:cus_1]"},
		},
	},
	{
		name: "Square",
		text: lines("Reference ID,First Name,Last Name,Email Address,Phone Number,Nickname,Company Name,Email Subscription Status,Creation Source", ",Ann,Lee,ann@example.com,'+15550100001,,,Subscribed,Point of Sale", ",Bo,Day,bo@example.com,,,,Unsubscribed,Point of Sale", ",Cy,Ek,cy@example.com,,,,Unknown,Instant Profile"),
		want: outcome{
			mapping: `utf-8 ",", header 1, First Name=firstName, Last Name=lastName, Email Address=email, Phone Number=phone, Email Subscription Status? (1 in Email Subscription Status)`,
			rows:    []string{"2|ann@example.com||Ann|Lee|+15550100001", "4|cy@example.com||Cy|Ek"},
			leftOut: []string{`3 bo@example.com: Email Subscription Status is "Unsubscribed"`},
		},
	},
	{
		name: "Calendly",
		text: lines("User Name,User Email,Invitee Name,Invitee First Name,Invitee Last Name,Invitee Email,Text Reminder Number,Canceled,Canceled By,Cancellation reason,Marked as No-Show,Location", "Host,host@example.com,Ann Lee,Ann,Lee,ann@example.com,+1 555-010-0001,false,,,No,Zoom", "Host,host@example.com,Bo Day,Bo,Day,bo@example.com,,true,Bo Day,ill,No,Zoom", "Host,host@example.com,Cy Ek,Cy,Ek,cy@example.com,,false,,,Yes,Zoom"),
		want: outcome{
			mapping: `utf-8 ",", header 1, Invitee First Name=firstName, Invitee Last Name=lastName, Invitee Email=email, Text Reminder Number=phone, Canceled? (1 in Canceled), Canceled By?, Cancellation reason?, Marked as No-Show? (1 in Marked as No-Show)`,
			rows:    []string{"2|ann@example.com||Ann|Lee|+15550100001"},
			leftOut: []string{"3 bo@example.com: Canceled is set", "4 cy@example.com: Marked as No-Show is set"},
		},
	},
	{
		name: "Excel Unicode text",
		text: utf16("\xff\xfe", "E-Mail\tVorname\tNachname\r\nann@example.com\tÄnne\tŁee\r\n"),
		want: outcome{
			mapping: `utf-16le "\t", header 1, E-Mail=email, Vorname=firstName, Nachname=lastName`,
			rows:    []string{"2|ann@example.com||Änne|Łee"},
		},
	},
	{
		name: "UTF-16 big endian",
		text: utf16("\xfe\xff", "Email,First name\nann@example.com,Zoë\n"),
		want: outcome{
			mapping: `utf-16be ",", header 1, Email=email, First name=firstName`,
			rows:    []string{"2|ann@example.com||Zoë"},
		},
	},
	{
		name: "UTF-16 without a mark",
		text: utf16("", "Email,First name\nann@example.com,Zoë\n"),
		want: outcome{
			mapping: `utf-16le ",", header 1, Email=email, First name=firstName`,
			rows:    []string{"2|ann@example.com||Zoë"},
		},
	},
	{
		name: "Excel CSV (Macintosh)",
		text: encoded(charmap.Macintosh, "Email;Prénom;Nom\rann@example.com;Jörg;Müller\rbo@example.com;Zoë;O’Neill\r"),
		want: outcome{
			mapping: `macintosh ";", header 1, Email=email, Prénom=firstName, Nom=lastName`,
			rows:    []string{"2|ann@example.com||Jörg|Müller", "3|bo@example.com||Zoë|O’Neill"},
		},
	},
	{
		name: "MacRoman, LF",
		text: encoded(charmap.Macintosh, "Email,First name\nann@example.com,José\n"),
		want: outcome{
			mapping: `macintosh ",", header 1, Email=email, First name=firstName`,
			rows:    []string{"2|ann@example.com||José"},
		},
	},
	{
		name:    "German Excel",
		text:    encoded(charmap.Windows1252, "Name;Vorname;E-Mail-Adresse;Handy;Status\r\nMüller;Jörg;joerg@example.com;0171/1234567;aktiv\r\nGroß;Änne;aenne@example.com;;abgemeldet\r\n"),
		options: options{Region: "DE"},
		want: outcome{
			mapping: `windows-1252 ";", header 1, Name=lastName, Vorname=firstName, E-Mail-Adresse=email, Handy=phone, Status? (1 in Status)`,
			rows:    []string{"2|joerg@example.com||Jörg|Müller|+491711234567"},
			leftOut: []string{`3 aenne@example.com: Status is "abgemeldet"`},
		},
	},
	{
		name: "French Excel, an apostrophe",
		text: encoded(charmap.Windows1252, "Courriel;Prénom;Nom\r\nann@example.com;Ève;d’Ambrosio\r\n"),
		want: outcome{
			mapping: `windows-1252 ";", header 1, Courriel=email, Prénom=firstName, Nom=lastName`,
			rows:    []string{"2|ann@example.com||Ève|d’Ambrosio"},
		},
	},
	{
		name: "Windows-1252 in the last of many rows",
		text: encoded(charmap.Windows1252, "Email,First name,Notes\n"+manyRows(2000)+"ann@example.com,Zoë,\n"),
		want: outcome{
			mapping: `windows-1252 ",", header 1, Email=email, First name=firstName`,
			rows:    []string{"2|p0@example.com||Pat", "3|p1@example.com||Pat", "… 2001 in all", "2002|ann@example.com||Zoë"},
		},
	},
	{
		name: "Windows-1251",
		text: encoded(charmap.Windows1251, "Email,First name\nann@example.com,Иван\nbo@example.com,Мария\n"),
		want: outcome{
			err: "the file is not UTF-8, and its encoding is unclear; save it as UTF-8, or add --encoding NAME, such as windows-1252, macintosh, windows-1250, windows-1251 or shift_jis",
		},
	},
	{
		name:    "Windows-1251, named",
		text:    encoded(charmap.Windows1251, "Email,First name\nann@example.com,Иван\n"),
		options: options{Encoding: "windows-1251"},
		want: outcome{
			mapping: `windows-1251 ",", header 1, Email=email, First name=firstName`,
			rows:    []string{"2|ann@example.com||Иван"},
		},
	},
	{
		name: "Polish Windows-1250",
		text: encoded(charmap.Windows1250, "Email,First name,Last name\nann@example.com,Paweł,Wałęsa\n"),
		want: outcome{
			err: "the file is not UTF-8, and its encoding is unclear; save it as UTF-8, or add --encoding NAME, such as windows-1252, macintosh, windows-1250, windows-1251 or shift_jis",
		},
	},
	{
		name: "one row in another encoding",
		text: "Email,First name\nann@example.com,Zoë\nbo@example.com,Jos\xe9\ncy@example.com,Jürgen\n",
		want: outcome{
			mapping: `utf-8 ",", header 1, Email=email, First name=firstName`,
			rows:    []string{"2|ann@example.com||Zoë", "4|cy@example.com||Jürgen"},
			listed:  []string{"3 invalid: the row is not UTF-8, unlike others: save the whole file in one encoding"},
		},
	},
	{
		name: "LibreOffice with apostrophes",
		text: lines("'Email';'First name';'Last name'", "'ann@example.com';'Ann';'O''Neill; Jr.'"),
		want: outcome{
			mapping: `utf-8 ";", header 1, Email=email, First name=firstName, Last name=lastName`,
			rows:    []string{"2|ann@example.com||Ann|O'Neill; Jr."},
		},
	},
	{
		name: "Apple Numbers with a table name",
		text: lines("Table 1,,", "Email,First name,Last name", "ann@example.com,Ann,Lee"),
		want: outcome{
			mapping: `utf-8 ",", header 2, Email=email, First name=firstName, Last name=lastName`,
			rows:    []string{"3|ann@example.com||Ann|Lee"},
		},
	},
	{
		name: "title lines and blank lines",
		text: lines(`Customer list "Springfield"`, "Printed on 12/03/2025, page 1", "", "Name;First name;E-mail", "Lee;Ann;ann@example.com", "", "Day;Bo;bo@example.com"),
		want: outcome{
			mapping: `utf-8 ";", header 4, Name has full or last names: --map lastName=Name takes them as last names, First name=firstName, E-mail=email`,
			rows:    []string{"5|ann@example.com||Ann", "7|bo@example.com||Bo"},
		},
	},
	{
		name: "a title line with the word",
		text: lines("Email", "Email;First name", "ann@example.com;Ann"),
		want: outcome{
			mapping: `utf-8 ";", header 2, Email=email, First name=firstName`,
			rows:    []string{"3|ann@example.com||Ann"},
		},
	},
	{
		name:    "clinic, in French",
		text:    lines("Nom;Prénom;E-mail;Téléphone portable;Date du rendez-vous;Statut du rendez-vous", "Lee;Ann;ann@example.com;0612345678;12/03/2025;Honoré", "Day;Bo;bo@example.com;;12/03/2025;Absent non excusé", "Ek;Cy;cy@example.com;;12/03/2025;Annulé par le patient", "Fox;Di;di@example.com;;12/03/2025;Non honoré", "Gray;Ed;ed@example.com;;12/03/2025;Décédé"),
		options: options{Region: "FR"},
		want: outcome{
			mapping: `utf-8 ";", header 1, Nom=lastName, Prénom=firstName, E-mail=email, Téléphone portable=phone, Statut du rendez-vous? (4 in Statut du rendez-vous)`,
			rows:    []string{"2|ann@example.com||Ann|Lee|+33612345678"},
			leftOut: []string{
				`3 bo@example.com: Statut du rendez-vous is "Absent non excusé"`,
				`4 cy@example.com: Statut du rendez-vous is "Annulé par le patient"`,
				`5 di@example.com: Statut du rendez-vous is "Non honoré"`,
				`6 ed@example.com: Statut du rendez-vous is "Décédé"`,
			},
		},
	},
	{
		name: "clinic, in German",
		text: lines("Patient;Vorname;Nachname;E-Mail;Terminstatus", "1;Ann;Lee;ann@example.com;Wahrgenommen", "2;Bo;Day;bo@example.com;Nicht erschienen", "3;Cy;Ek;cy@example.com;Abgesagt (Patient)"),
		want: outcome{
			mapping: `utf-8 ";", header 1, Vorname=firstName, Nachname=lastName, E-Mail=email, Terminstatus? (2 in Terminstatus)`,
			rows:    []string{"2|ann@example.com||Ann|Lee"},
			leftOut: []string{
				`3 bo@example.com: Terminstatus is "Nicht erschienen"`,
				`4 cy@example.com: Terminstatus is "Abgesagt (Patient)"`,
			},
		},
	},
	{
		name: "booking system",
		text: lines("Booking,Customer,First Name,Email,Status,Cancelled At", "1,Ann Lee,Ann,ann@example.com,Completed,", "2,Bo Day,Bo,bo@example.com,No-show,", "3,Cy Ek,Cy,cy@example.com,Completed,2025-01-01", "4,Di Fox,Di,di@example.com,Declined,", "5,Ed Gray,Ed,ed@example.com,Cancelled - late,0000-00-00 00:00:00"),
		want: outcome{
			mapping: `utf-8 ",", header 1, Customer has full or last names: --map lastName=Customer takes them as last names, First Name=firstName, Email=email, Status? (3 in Status), Cancelled At? (1 in Cancelled At)`,
			rows:    []string{"2|ann@example.com||Ann"},
			leftOut: []string{
				`3 bo@example.com: Status is "No-show"`,
				"4 cy@example.com: Cancelled At is set",
				`5 di@example.com: Status is "Declined"`,
				`6 ed@example.com: Status is "Cancelled - late"`,
			},
		},
	},
	{
		name: "booking, in Spanish",
		text: lines("Nombre;Apellidos;Correo;Estado;Asistió", "Ana;García;ana@example.com;Confirmada;Sí", "Bo;Díaz;bo@example.com;Cancelada;No", "Cy;Ek;cy@example.com;Confirmada;No", "Di;Fox;di@example.com;No se presentó;"),
		want: outcome{
			mapping: `utf-8 ";", header 1, Nombre=firstName, Apellidos=lastName, Correo=email, Estado? (2 in Estado), Asistió? (1 in Asistió)`,
			rows:    []string{"2|ana@example.com||Ana|García"},
			leftOut: []string{
				`3 bo@example.com: Estado is "Cancelada"`,
				`4 cy@example.com: Asistió is "No"`,
				`5 di@example.com: Estado is "No se presentó"`,
			},
		},
	},
	{
		name: "booking, in Italian",
		text: lines("Nome;Cognome;E-mail;Stato", "Anna;Rossi;anna@example.com;Confermato", "Bo;Bianchi;bo@example.com;Disdetto", "Cy;Neri;cy@example.com;Disiscritta"),
		want: outcome{
			mapping: `utf-8 ";", header 1, Nome=firstName, Cognome=lastName, E-mail=email, Stato? (2 in Stato)`,
			rows:    []string{"2|anna@example.com||Anna|Rossi"},
			leftOut: []string{`3 bo@example.com: Stato is "Disdetto"`, `4 cy@example.com: Stato is "Disiscritta"`},
		},
	},
	{
		name: "booking, in Dutch",
		text: lines("Naam;Voornaam;E-mail;Status", "de Vries;Jan;jan@example.com;Actief", "Bakker;Bo;bo@example.com;Uitgeschreven", "Smit;Cy;cy@example.com;Niet verschenen"),
		want: outcome{
			mapping: `utf-8 ";", header 1, Naam=lastName, Voornaam=firstName, E-mail=email, Status? (2 in Status)`,
			rows:    []string{"2|jan@example.com||Jan|de Vries"},
			leftOut: []string{`3 bo@example.com: Status is "Uitgeschreven"`, `4 cy@example.com: Status is "Niet verschenen"`},
		},
	},
	{
		name: "booking, in Portuguese",
		text: lines("Nome;Sobrenome;E-mail;Situação", "Ana;Silva;ana@example.com;Ativo", "Bo;Souza;bo@example.com;Descadastrado", "Cy;Lima;cy@example.com;Não compareceu"),
		want: outcome{
			mapping: `utf-8 ";", header 1, Nome=firstName, Sobrenome=lastName, E-mail=email, Situação? (2 in Situação)`,
			rows:    []string{"2|ana@example.com||Ana|Silva"},
			leftOut: []string{`3 bo@example.com: Situação is "Descadastrado"`, `4 cy@example.com: Situação is "Não compareceu"`},
		},
	},
	{
		name: "point of sale",
		text: lines("Kunden-Nr.;Name;Vorname;E-Mail;Newsletter", "1;Lee;Ann;ann@example.com;x", "2;Day;Bo;bo@example.com;", "3;Ek;Cy;cy@example.com;nein", "4;Fox;Di;di@example.com;✓"),
		want: outcome{
			mapping: `utf-8 ";", header 1, Name=lastName, Vorname=firstName, E-Mail=email, Newsletter? (2 in Newsletter)`,
			rows:    []string{"2|ann@example.com||Ann|Lee", "5|di@example.com||Di|Fox"},
			leftOut: []string{"3 bo@example.com: Newsletter is empty", `4 cy@example.com: Newsletter is "nein"`},
		},
	},
	{
		name: "a column nobody knows says unsubscribed",
		text: lines("Email,First name,Segment", "ann@example.com,Ann,Gold", "bo@example.com,Bo,Unsubscribed", "cy@example.com,Cy,DÉSABONNÉ"),
		want: outcome{
			mapping: `utf-8 ",", header 1, Email=email, First name=firstName (2 in Segment)`,
			rows:    []string{"2|ann@example.com||Ann"},
			leftOut: []string{`3 bo@example.com: Segment is "Unsubscribed"`, `4 cy@example.com: Segment is "DÉSABONNÉ"`},
		},
	},
	{
		name: "a tag says it",
		text: lines("Email,First name,Tags", `ann@example.com,Ann,"vip, new"`, `bo@example.com,Bo,"vip, no-show"`),
		want: outcome{
			mapping: `utf-8 ",", header 1, Email=email, First name=firstName, Tags=tags (1 in Tags)`,
			rows:    []string{`2|ann@example.com||Ann||||["vip" "new"]`},
			leftOut: []string{`3 bo@example.com: the tag "no-show"`},
		},
	},
	{
		name: "an opt-out counts in every row of the person",
		text: lines("Email,First name,List,Status", "ann@example.com,Ann,A,Active", "bo@example.com,Bo,A,Active", "ANN@example.com,Ann,B,Unsubscribed"),
		want: outcome{
			mapping: `utf-8 ",", header 1, Email=email, First name=firstName, Status? (1 in Status)`,
			rows:    []string{"3|bo@example.com||Bo"},
			listed:  []string{"4 duplicate: row 2 has the same email and is used"},
			leftOut: []string{"2 ann@example.com: row 4, with the same email, opted out"},
		},
	},
	{
		name:    "an opt-out counts in a row that is not selected",
		text:    lines("Email,First name,List,Status", "ann@example.com,Ann,A,Active", "ann@example.com,Ann,B,Unsubscribed"),
		options: options{OnlyIf: []string{"List=A"}},
		want: outcome{
			mapping: `utf-8 ",", header 1, Email=email, First name=firstName, Status? (1 in Status)`,
			listed:  []string{"3 filtered: not selected by --only-if List=A"},
			leftOut: []string{"2 ann@example.com: row 3, with the same email, opted out"},
		},
	},
	{
		name: "no consent to other channels",
		text: lines("Email,First name,SMS Opt Out,Accepts SMS Marketing,Do Not Call,Unsubscribe link", "ann@example.com,Ann,true,no,1,https://example.com/unsubscribe?u=1"),
		want: outcome{
			mapping: `utf-8 ",", header 1, Email=email, First name=firstName, Unsubscribe link?`,
			rows:    []string{"2|ann@example.com||Ann"},
		},
	},
	{
		name: "a row that ends before its consent",
		text: lines("Email,First name,Notes,Status", "ann@example.com,Ann,fine,Active", "bo@example.com,Bo,first line", "second line,Unsubscribed"),
		want: outcome{
			mapping: `utf-8 ",", header 1, Email=email, First name=firstName, Status?`,
			rows:    []string{"2|ann@example.com||Ann"},
			listed: []string{
				"3 invalid: the row ends before the consent column Status: complete the row",
				"4 invalid: the row ends before the consent column Status: complete the row",
			},
		},
	},
	{
		name:    "the last of equal emails",
		text:    lines("Email,First name", "ann@example.com,Ann", "bo@example.com,Bo", "Ann@Example.com,Anna"),
		options: options{LastWins: true},
		want: outcome{
			mapping: `utf-8 ",", header 1, Email=email, First name=firstName`,
			rows:    []string{"3|bo@example.com||Bo", "4|Ann@Example.com||Anna"},
			listed:  []string{"2 duplicate: row 4 has the same email and is used"},
		},
	},
	{
		name:    "rows selected",
		text:    lines("Email,First name,City,Plan=", "ann@example.com,Ann,Lyon,gold", "bo@example.com,Bo,Paris,gold", "cy@example.com,Cy,Nice,gold", "di@example.com,Di,lyon,Silver"),
		options: options{OnlyIf: []string{"City=LYON", "City=Paris"}, SkipIf: []string{"Plan==silver"}},
		want: outcome{
			mapping: `utf-8 ",", header 1, Email=email, First name=firstName`,
			rows:    []string{"2|ann@example.com||Ann", "3|bo@example.com||Bo"},
			listed: []string{
				"4 filtered: not selected by --only-if City=LYON, City=Paris",
				"5 filtered: skipped by --skip-if Plan==silver",
			},
		},
	},
	{
		name:    "custom fields",
		text:    lines("Email,First name,Birthday,Customer ID,Size", `ann@example.com,Ann,1990-01-15,'7210448301100,="007"`, "bo@example.com,Bo,,,"),
		options: options{Map: []string{"customFields.birthday=Birthday", "customFields=Customer ID", "customFields.size=#5"}},
		want: outcome{
			mapping: `utf-8 ",", header 1, Email=email, First name=firstName, Birthday=customFields.birthday, Customer ID=customFields.Customer ID, Size=customFields.size`,
			rows: []string{
				"2|ann@example.com||Ann||||map[Customer ID:7210448301100 birthday:1990-01-15 size:007]",
				"3|bo@example.com||Bo",
			},
		},
	},
	{
		name:    "no header",
		text:    lines("ann@example.com;Ann;+15550100001", "bo@example.com;Bo;"),
		options: options{Map: []string{"email=#1", "firstName=#2", "phone=#3"}},
		want: outcome{
			mapping: `utf-8 ";", header 0, #1=email, #2=firstName, #3=phone`,
			rows:    []string{"1|ann@example.com||Ann||+15550100001", "2|bo@example.com||Bo"},
		},
	},
	{
		name: "no header, nothing named",
		text: lines("ann@example.com;Ann;+15550100001"),
		want: outcome{
			err: "the file has no header row; map columns by number, such as --map email=#1",
		},
	},
	{
		name:    "full names",
		text:    lines("Client,E-mail", "Dr. Ann van Lee,ann@example.com", `"Day, Bo",bo@example.com`, "Cy,cy@example.com"),
		options: options{Map: []string{"fullName=Client"}},
		want: outcome{
			mapping: `utf-8 ",", header 1, Client=fullName, E-mail=email`,
			rows:    []string{"2|ann@example.com|Dr.|Ann|van Lee", "3|bo@example.com||Bo|Day", "4|cy@example.com||Cy"},
		},
	},
	{
		name: "emails in other shapes",
		text: lines("Email,First name", "Ann Lee <ann@example.com>,Ann", "mailto:bo@example.com,Bo", "'cy@example.com',Cy", `"di@example.com; d2@example.com",Di`, `"ed@example.com, e2@example.com",Ed`, "<fay@example.com>,Fay", "gus@example,Gus", "hal at example.com,Hal", ",Ida"),
		want: outcome{
			mapping: `utf-8 ",", header 1, Email=email, First name=firstName`,
			rows:    []string{"2|ann@example.com||Ann", "3|bo@example.com||Bo", "… 6 in all", "7|fay@example.com||Fay"},
			listed: []string{
				"5 the email cell has 2 addresses: the first one is used",
				"6 the email cell has 2 addresses: the first one is used",
				"8 invalid: the email has no complete host, such as example.com",
				"9 invalid: the email is not of the form name@host",
				"10 invalid: the email is empty",
			},
		},
	},
	{
		name: "languages",
		text: lines("Email,Preferred Language", "ann@example.com,en-US", "bo@example.com,FRANÇAIS", "cy@example.com,fr_CA", "di@example.com,Klingon", "ed@example.com,English (United States)", "fay@example.com,"),
		want: outcome{
			mapping: `utf-8 ",", header 1, Email=email, Preferred Language=preferredLanguage`,
			rows:    []string{"2|ann@example.com|||||en", "3|bo@example.com|||||fr", "… 6 in all", "7|fay@example.com"},
			listed:  []string{"5 the language is left out: use English or French"},
		},
	},
	{
		name: "tags in other shapes",
		text: lines("Email,Tags", `ann@example.com,"[""a"",""b, c""]"`, `bo@example.com,"a, ""b; c"", a"`, "cy@example.com,* myContacts ::: * Friends ::: a;b", "di@example.com,* myContacts", `ed@example.com,"5"" screen, b"`),
		want: outcome{
			mapping: `utf-8 ",", header 1, Email=email, Tags=tags`,
			rows: []string{
				`2|ann@example.com||||||["a" "b, c"]`,
				`3|bo@example.com||||||["a" "b; c"]`,
				"… 5 in all",
				`6|ed@example.com||||||["5\" screen" "b"]`,
			},
		},
	},
	{
		name:    "phones in other shapes",
		text:    lines("Email,Mobile", "ann@example.com,0049 30 1234567", "bo@example.com,+44 (0)20 7946 0958", "cy@example.com,+49 30 1234567 ext. 12", "di@example.com,tel:+15550100001", "ed@example.com,030/1234567 ::: 040 7654321", "fay@example.com,call Fay", "gus@example.com,4.93012E+11", "hal@example.com,+1"),
		options: options{Region: "DE"},
		want: outcome{
			mapping: `utf-8 ",", header 1, Email=email, Mobile=phone`,
			rows:    []string{"2|ann@example.com||||+49301234567", "3|bo@example.com||||+442079460958", "… 8 in all", "9|hal@example.com"},
			listed: []string{
				"4 the extension of the phone is left out",
				"6 the phone cell has several numbers: the first one is used",
				"7 the phone is left out: it is not a valid number",
				"8 the phone is left out: it is not a valid number",
				"9 the phone is left out: it is not a valid number",
			},
		},
	},
	{
		name: "forms with remarks in headers",
		text: lines("Email (required),Name (First),Name (Last),Phone (mobile)", "ann@example.com,Ann,Lee,+15550100001"),
		want: outcome{
			mapping: `utf-8 ",", header 1, Email (required)=email, Name (First)=firstName, Name (Last)=lastName, Phone (mobile)=phone`,
			rows:    []string{"2|ann@example.com||Ann|Lee|+15550100001"},
		},
	},
	{
		name: "Google Workspace",
		text: lines("First Name [Required],Last Name [Required],Email Address [Required],Status [READ ONLY]", "Ann,Lee,ann@example.com,Active", "Bo,Day,bo@example.com,Suspended"),
		want: outcome{
			mapping: `utf-8 ",", header 1, First Name [Required]=firstName, Last Name [Required]=lastName, Email Address [Required]=email, Status [READ ONLY]? (1 in Status [READ ONLY])`,
			rows:    []string{"2|ann@example.com||Ann|Lee"},
			leftOut: []string{`3 bo@example.com: Status [READ ONLY] is "Suspended"`},
		},
	},
	{
		name: "two columns of emails",
		text: lines("First name,Email,Billing Email", "Ann,ann@example.com,pay@example.com"),
		want: outcome{
			err: `2 columns could be email: "Email" (#2), "Billing Email" (#3); choose one with --map email=Email, or exclude the others with --ignore`,
		},
	},
	{
		name:    "two columns of emails, one ignored",
		text:    lines("First name,Email,Billing Email", "Ann,ann@example.com,pay@example.com"),
		options: options{Ignore: []string{"Billing Email"}},
		want: outcome{
			mapping: `utf-8 ",", header 1, First name=firstName, Email=email, Billing Email ignored`,
			rows:    []string{"2|ann@example.com||Ann"},
		},
	},
	{
		name: "two columns of phones",
		text: lines("Email,First name,Mobile,Handy", "ann@example.com,Ann,,"),
		want: outcome{
			err: `2 columns could be phone: "Mobile" (#3), "Handy" (#4); choose one with --map phone=Mobile, or exclude the others with --ignore`,
		},
	},
	{
		name: "an unknown column of emails",
		text: lines("Kontakt,Vorname", "ann@example.com,Ann"),
		want: outcome{
			err: `no column is known as the email; "Kontakt" (#1) contains addresses: add --map email=Kontakt`,
		},
	},
	{
		name: "a separator in quotes",
		text: lines(`Email;"Name, First"`, "ann@example.com;Ann"),
		want: outcome{
			mapping: `utf-8 ";", header 1, Email=email, Name, First=firstName`,
			rows:    []string{"2|ann@example.com||Ann"},
		},
	},
	{
		name: "separators in quotes",
		text: lines(`Email;"Prénom, usuel, complet";Nom`, "ann@example.com;Ann;Lee"),
		want: outcome{
			mapping: `utf-8 ";", header 1, Email=email, Nom has full names: --map fullName=Nom splits them`,
			rows:    []string{"2|ann@example.com"},
		},
	},
	{
		name: "another separator in quotes",
		text: lines(`Email,"Tags; as; many; as; you; like"`, "ann@example.com,a;b"),
		want: outcome{
			mapping: `utf-8 ",", header 1, Email=email`,
			rows:    []string{"2|ann@example.com"},
		},
	},
	{
		name: "a line break in a header",
		text: lines("\"E-mail\nAddress\";Nom;Prénom", "ann@example.com;Lee;Ann"),
		want: outcome{
			mapping: "utf-8 \";\", header 1, E-mail\nAddress=email, Nom=lastName, Prénom=firstName",
			rows:    []string{"2|ann@example.com||Ann|Lee"},
		},
	},
	{
		name:    "a separator that is named",
		text:    lines("Email^First name", "ann@example.com^Ann"),
		options: options{Separator: "^"},
		want: outcome{
			mapping: `utf-8 "^", header 1, Email=email, First name=firstName`,
			rows:    []string{"2|ann@example.com||Ann"},
		},
	},
	{
		name: "quotes inside quotes",
		text: lines("Email,First name,Last name", `ann@example.com,"Robert "Bob" Smith",Lee`, `bo@example.com,"Bo ""B"" D",Day`, `cy@example.com, "Ek, Cy" ,Ek`),
		want: outcome{
			mapping: `utf-8 ",", header 1, Email=email, First name=firstName, Last name=lastName`,
			rows:    []string{`3|bo@example.com||Bo "B" D|Day`, "4|cy@example.com||Ek, Cy|Ek"},
			listed:  []string{"2 invalid: the row has a stray quote: double the quotes inside a cell, and close the last one"},
		},
	},
	{
		name: "a quote that is not closed",
		text: lines("Email,First name,Last name", `ann@example.com,"Ann,Lee`, "bo@example.com,Bo,Day", "cy@example.com,Cy,Ek"),
		want: outcome{
			mapping: `utf-8 ",", header 1, Email=email, First name=firstName, Last name=lastName`,
			rows:    []string{"3|bo@example.com||Bo|Day", "4|cy@example.com||Cy|Ek"},
			listed:  []string{"2 invalid: the row has a stray quote: double the quotes inside a cell, and close the last one"},
		},
	},
	{
		name: "two quotes that swallow rows",
		text: lines("Email,First name,Notes", `ann@example.com,Ann,"tall`, `bo@example.com,Bo,24"`, "cy@example.com,Cy,fine"),
		want: outcome{
			mapping: `utf-8 ",", header 1, Email=email, First name=firstName`,
			rows:    []string{"3|bo@example.com||Bo", "4|cy@example.com||Cy"},
			listed:  []string{"2 invalid: a cell contains other rows: is a quote missing?"},
		},
	},
	{
		name: "two quotes that swallow rows, emails last",
		text: lines("First name,Notes,Email", `Ann,"tall,ann@example.com`, `Bo,24",bo@example.com`, "Cy,fine,cy@example.com"),
		want: outcome{
			mapping: `utf-8 ",", header 1, First name=firstName, Email=email`,
			rows:    []string{"3|bo@example.com||Bo", "4|cy@example.com||Cy"},
			listed:  []string{"2 invalid: a cell contains other rows: is a quote missing?"},
		},
	},
	{
		name: "line breaks in notes",
		text: lines("Email,First name,Notes", "ann@example.com,Ann,\"Call her,\nor write to ann@example.com\nsoon\"", `bo@example.com,Bo,"a""b"`),
		want: outcome{
			mapping: `utf-8 ",", header 1, Email=email, First name=firstName`,
			rows:    []string{"2|ann@example.com||Ann", "3|bo@example.com||Bo"},
		},
	},
	{
		name: "mixed line ends",
		text: "Email,First name\r\nann@example.com,Ann\nbo@example.com,Bo\r\ncy@example.com,Cy",
		want: outcome{
			mapping: `utf-8 ",", header 1, Email=email, First name=firstName`,
			rows:    []string{"2|ann@example.com||Ann", "3|bo@example.com||Bo", "4|cy@example.com||Cy"},
		},
	},
	{
		name: "the end of a DOS file",
		text: "Email,First name\r\nann@example.com,\"Ann\"\r\n\x1a",
		want: outcome{
			mapping: `utf-8 ",", header 1, Email=email, First name=firstName`,
			rows:    []string{"2|ann@example.com||Ann"},
		},
	},
	{
		name: "a huge cell",
		text: "Email,First name\nann@example.com," + strings.Repeat("x", 2<<20) + "\nbo@example.com,Bo\n",
		want: outcome{
			mapping: `utf-8 ",", header 1, Email=email, First name=firstName`,
			rows:    []string{"3|bo@example.com||Bo"},
			listed:  []string{"2 invalid: the row is longer than 1048576 bytes: is a quote missing?"},
		},
	},
	{
		name: "more separators than headers",
		text: lines("Email,First name", "ann@example.com,Ann,,", "bo@example.com,Bo,x"),
		want: outcome{
			mapping: `utf-8 ",", header 1, Email=email, First name=firstName`,
			rows:    []string{"2|ann@example.com||Ann"},
			listed:  []string{"3 invalid: the row has 3 cells for 2 columns: quote the cells that contain a separator"},
		},
	},
	{
		name: "sep of another character",
		text: lines("sep=|", "Email|First name", "ann@example.com|Ann"),
		want: outcome{
			mapping: `utf-8 "|", header 1, Email=email, First name=firstName`,
			rows:    []string{"2|ann@example.com||Ann"},
		},
	},
	{
		name: "a tab",
		text: lines("Email\tFirst name\tTags", "ann@example.com\tAnn, L.\ta;b"),
		want: outcome{
			mapping: `utf-8 "\t", header 1, Email=email, First name=firstName, Tags=tags`,
			rows:    []string{`2|ann@example.com||Ann, L.||||["a" "b"]`},
		},
	},
	{
		name: "one column",
		text: lines("Email", "ann@example.com", "", "bo@example.com"),
		want: outcome{
			mapping: `utf-8 ",", header 1, Email=email`,
			rows:    []string{"2|ann@example.com", "4|bo@example.com"},
		},
	},
	{
		name: "snake case",
		text: lines("email_address,first_name,last_name,mobile_phone,email_opt_out", "ann@example.com,Ann,Lee,+15550100001,f", "bo@example.com,Bo,Day,,t"),
		want: outcome{
			mapping: `utf-8 ",", header 1, email_address=email, first_name=firstName, last_name=lastName, mobile_phone=phone, email_opt_out? (1 in email_opt_out)`,
			rows:    []string{"2|ann@example.com||Ann|Lee|+15550100001"},
			leftOut: []string{"3 bo@example.com: email_opt_out is set"},
		},
	},
	{
		name: "nothing but a header",
		text: lines("Email,First name"),
		want: outcome{
			err: "the file has no rows below its header",
		},
	},
	{
		name: "an empty file",
		text: "",
		want: outcome{
			err: "the file is empty; its first row must name the columns",
		},
	},
	{
		name: "blank lines alone",
		text: "\n\n  \n",
		want: outcome{
			err: "the file is empty; its first row must name the columns",
		},
	},
	{
		name: "binary",
		text: "\x01\x02\x03\x04\x05\x06\x07\x08\x0e\x0f\x10\x11Email\xff\x80\n",
		want: outcome{
			err: "the file is not text; export it as CSV or XLSX",
		},
	},
	{
		name: "JSON",
		text: lines(`{"contacts": []}`),
		want: outcome{
			err: "it is JSON; export the contacts as CSV or XLSX",
		},
	},
	{
		name: "HTML named .csv",
		text: lines("<html><table><tr><td>Email</td></tr></table></html>"),
		want: outcome{
			err: "it is HTML or XML; open it in a spreadsheet, and save it as CSV or XLSX",
		},
	},
	{
		name: "vCards",
		text: lines("BEGIN:VCARD", "EMAIL:ann@example.com"),
		want: outcome{
			err: "it is a vCard file; import it into your address book, and export it as CSV",
		},
	},
	{
		name:    "a column that is not there",
		text:    lines("Email,First name", "ann@example.com,Ann"),
		options: options{Map: []string{"firstName=first name"}},
		want: outcome{
			err: `--map firstName=first name: no column "first name"; did you mean "First name" (#2)?`,
		},
	},
	{
		name:    "a field that is not there",
		text:    lines("Email,First name", "ann@example.com,Ann"),
		options: options{Map: []string{"mail=Email"}},
		want: outcome{
			err: "--map mail=Email: write field=column or field=#n; the fields are email, firstName, lastName, fullName, phone, title, preferredLanguage, tags, locationId, contactOrganizationId, customFields, customFields.KEY",
		},
	},
	{
		name:    "a region that is not there",
		text:    lines("Email,First name", "ann@example.com,Ann"),
		options: options{Region: "Germany"},
		want: outcome{
			err: `--region: unknown region "Germany"; use two letters, such as DE or US`,
		},
	},
	{
		name:    "an encoding that is not there",
		text:    lines("Email,First name", "ann@example.com,Ann"),
		options: options{Encoding: "klingon"},
		want: outcome{
			err: `unknown encoding "klingon"; use one such as utf-8, windows-1252, macintosh or windows-1250`,
		},
	},
	{
		name: "answers of many kinds",
		text: lines("Email,Opt-in,Unsubscribed,Cancelled at", "a@example.com,yes,Subscribed,0000-00-00 00:00:00", "b@example.com,pending,,", "c@example.com,✗,,", "d@example.com,2024-05-01,-,0", "e@example.com,1,✓,", "f@example.com,1,N/A,not cancelled", "g@example.com,1,2025-01-01,", "h@example.com,1,,2025-01-01", `i@example.com,"Yes (double opt-in)",no,`, "j@example.com,opted out,,"),
		want: outcome{
			mapping: `utf-8 ",", header 1, Email=email, Opt-in? (3 in Opt-in), Unsubscribed? (2 in Unsubscribed), Cancelled at? (1 in Cancelled at)`,
			rows:    []string{"2|a@example.com", "5|d@example.com", "7|f@example.com", "10|i@example.com"},
			leftOut: []string{
				`3 b@example.com: Opt-in is "pending"`,
				`4 c@example.com: Opt-in is "✗"`,
				"6 e@example.com: Unsubscribed is set",
				"8 g@example.com: Unsubscribed is set",
				"9 h@example.com: Cancelled at is set",
				`11 j@example.com: Opt-in is "opted out"`,
			},
		},
	},
	{
		name: "a cell that swallowed a row and its email",
		text: lines("Email,Notes,First name", `ann@example.com,"tall`, `wide",1,x`, "cy@example.com,,Cy"),
		want: outcome{
			mapping: `utf-8 ",", header 1, Email=email, First name=firstName`,
			rows:    []string{"4|cy@example.com||Cy"},
			listed: []string{
				"2 invalid: a cell contains other rows: is a quote missing?",
				"3 invalid: the email is not of the form name@host",
			},
		},
	},
	{
		name:    "a field named twice",
		text:    lines("Email,A,B", "ann@example.com,x,y"),
		options: options{Map: []string{"phone=A", "phone=B"}},
		want: outcome{
			err: "--map phone=B: phone is mapped twice; keep one --map",
		},
	},
	{
		name:    "a column named twice",
		text:    lines("Email,A,B", "ann@example.com,x,y"),
		options: options{Map: []string{"phone=A", "title=A"}},
		want: outcome{
			err: `--map title=A: column "A" (#2) is already mapped to phone`,
		},
	},
	{
		name:    "a column named and ignored",
		text:    lines("Email,A,B", "ann@example.com,x,y"),
		options: options{Map: []string{"phone=A"}, Ignore: []string{"A"}},
		want: outcome{
			err: `--map phone=A: column "A" (#2) is ignored; remove its --ignore`,
		},
	},
	{
		name:    "full names beside first names",
		text:    lines("Email,A,B", "ann@example.com,x,y"),
		options: options{Map: []string{"fullName=A", "firstName=B"}},
		want: outcome{
			err: "fullName is split into firstName and lastName; map either fullName or these",
		},
	},
	{
		name:    "a number that is not there",
		text:    lines("Email,A", "ann@example.com,x"),
		options: options{Ignore: []string{"#3"}},
		want: outcome{
			err: "--ignore: no column #3; the file has 2 columns",
		},
	},
	{
		name:    "a filter of a column that is not there",
		text:    lines("Email,A", "ann@example.com,x"),
		options: options{OnlyIf: []string{"City=Lyon"}},
		want: outcome{
			err: `--only-if City=Lyon: no column "City"; the file has "Email" (#1), "A" (#2)`,
		},
	},
	{
		name:    "a filter without a value",
		text:    lines("Email,A", "ann@example.com,x"),
		options: options{SkipIf: []string{"A"}},
		want: outcome{
			err: "--skip-if A: write column=value",
		},
	},
	{
		name:    "a separator that is none",
		text:    lines("Email,A", "ann@example.com,x"),
		options: options{Separator: "ab"},
		want: outcome{
			err: `the separator "ab" is not one ASCII character; use one such as ; or tab`,
		},
	},
	{
		name: "headers that name one column in many ways",
		text: lines("Email,Given name,Surname,Phone (home),Phone (work)", "ann@example.com,Ann,Lee,,"),
		want: outcome{
			err: `2 columns could be phone: "Phone (home)" (#4), "Phone (work)" (#5); choose one with --map phone="Phone (home)", or exclude the others with --ignore`,
		},
	},
	{
		name: "title lines with an address",
		text: lines("Exported by host@example.com;;", "", "Email;First name;Last name", "ann@example.com;Ann;Lee"),
		want: outcome{
			mapping: `utf-8 ";", header 3, Email=email, First name=firstName, Last name=lastName`,
			rows:    []string{"4|ann@example.com||Ann|Lee"},
		},
	},
	{
		name: "an unknown header above answers that look like one",
		text: lines("Kontakt;Vorname;Kontaktweg", "ann@example.com;Ann;Telefon", ";Bo;Email", "cy@example.com;Cy;Email"),
		want: outcome{
			err: `no column is known as the email; "Kontakt" (#1) contains addresses: add --map email=Kontakt`,
		},
	},
}
