package customerfile_test

// productCases are exports of the usual products, in several languages.
var productCases = []fileCase{
	{
		name: "hubspot",
		text: lines(
			"Record ID,First Name,Last Name,Email,Phone Number,Mobile Phone Number,Lifecycle Stage,Lead Status,Unsubscribed from all email,Preferred language,Company Name,Contact owner",
			"1,Ann,Lee,ann@example.com,+1 555-010-0002,,Customer,New,,en,Acme,Bo",
		),
		want: outcome{
			mapping: `utf-8 ",", header 1, First Name=firstName, Last Name=lastName, Email=email, Mobile Phone Number=phone, Lead Status?, Unsubscribed from all email?, Preferred language=preferredLanguage`,
			rows: []string{
				"2|ann@example.com||Ann|Lee||en",
			},
		},
	},
	{
		name: "salesforce",
		text: lines(
			"First Name,Last Name,Title,Account Name,Phone,Mobile,Email,Email Opt Out,Has Opted Out Of Email",
			"Ann,Lee,CEO,Acme,+15550100002,,ann@example.com,0,0",
			"Bo,Li,CTO,Acme,+15550100002,,bo@example.com,1,0",
		),
		want: outcome{
			mapping: `utf-8 ",", header 1, First Name=firstName, Last Name=lastName, Title=title, Mobile=phone, Email=email, Email Opt Out? (1 in Email Opt Out), Has Opted Out Of Email?`,
			rows: []string{
				"2|ann@example.com|CEO|Ann|Lee",
			},
			leftOut: []string{
				"3 bo@example.com: Email Opt Out is set",
			},
		},
	},
	{
		name: "salesforce api",
		text: lines(
			"Id,FirstName,LastName,Salutation,Email,Phone,MobilePhone,HasOptedOutOfEmail,IsEmailBounced,EmailBouncedReason,IsDeleted",
			"003,Ann,Lee,Ms.,ann@example.com,+15550100002,,false,false,,false",
			"003,Bo,Li,Mr.,bo@example.com,,,true,false,,false",
			"003,Cy,Li,Mr.,cy@example.com,,,false,true,,false",
		),
		want: outcome{
			mapping: `utf-8 ",", header 1, FirstName=firstName, LastName=lastName, Salutation=title, Email=email, MobilePhone=phone, HasOptedOutOfEmail? (1 in HasOptedOutOfEmail), IsEmailBounced? (1 in IsEmailBounced), EmailBouncedReason?, IsDeleted?`,
			rows: []string{
				"2|ann@example.com|Ms.|Ann|Lee",
			},
			leftOut: []string{
				"3 bo@example.com: HasOptedOutOfEmail is set",
				"4 cy@example.com: IsEmailBounced is set",
			},
		},
	},
	{
		name: "pipedrive",
		text: lines(
			"Name,Organization,Email - Work,Email - Home,Phone - Work,Phone - Mobile,Label,Marketing status",
			"Ann Lee,Acme,ann@example.com,,+15550100002,,Hot lead,Subscribed",
			"Bo,Acme,bo@example.com,,,,,Unsubscribed",
		),
		want: outcome{
			err: `2 columns could be email: "Email - Work" (#3), "Email - Home" (#4); choose one with --map email="Email - Work", or exclude the others with --ignore`,
		},
	},
	{
		name: "pipedrive2",
		text: lines(
			"Person - Name,Person - First name,Person - Last name,Person - Email - Work,Person - Phone - Mobile,Person - Marketing status",
			"Ann Lee,Ann,Lee,ann@example.com,+15550100002,Subscribed",
		),
		want: outcome{
			mapping: `utf-8 ",", header 1, Person - First name=firstName, Person - Last name=lastName, Person - Email - Work=email, Person - Phone - Mobile=phone, Person - Marketing status?`,
			rows: []string{
				"2|ann@example.com||Ann|Lee|+15550100002",
			},
		},
	},
	{
		name: "brevo",
		text: lines(
			"EMAIL;NOM;PRENOM;SMS;OPT_IN;BLACKLISTED;ADDED_TIME",
			"ann@example.com;Lee;Ann;33612345678;1;0;2024",
		),
		want: outcome{
			mapping: `utf-8 ";", header 1, EMAIL=email, NOM=lastName, PRENOM=firstName, SMS=phone, OPT_IN?, BLACKLISTED?`,
			rows: []string{
				"2|ann@example.com||Ann|Lee",
			},
			listed: []string{
				"2 the phone is left out: it has no country code; add --region",
			},
		},
	},
	{
		name: "brevo2",
		text: lines(
			"CONTACT ID,EMAIL,FIRSTNAME,LASTNAME,SMS,EMAIL_BLACKLISTED,SMS_BLACKLISTED,LISTID,ADDED_TIME",
			"1,ann@example.com,Ann,Lee,15550100002,No,Yes,3,2024",
			"2,bo@example.com,Bo,Li,,Yes,No,3,2024",
		),
		want: outcome{
			mapping: `utf-8 ",", header 1, EMAIL=email, FIRSTNAME=firstName, LASTNAME=lastName, SMS=phone, EMAIL_BLACKLISTED? (1 in EMAIL_BLACKLISTED)`,
			rows: []string{
				"2|ann@example.com||Ann|Lee",
			},
			listed: []string{
				"2 the phone is left out: it has no country code; add --region",
			},
			leftOut: []string{
				"3 bo@example.com: EMAIL_BLACKLISTED is set",
			},
		},
	},
	{
		name: "klaviyo",
		text: lines(
			"Email,Klaviyo ID,First Name,Last Name,Organization,Title,Phone Number,Address,Consent,Email Marketing Consent,SMS Consent",
			"ann@example.com,01,Ann,Lee,Acme,CEO,+15550100002,,,SUBSCRIBED,NEVER",
		),
		want: outcome{
			mapping: `utf-8 ",", header 1, Email=email, First Name=firstName, Last Name=lastName, Title=title, Phone Number=phone, Consent? (1 in Consent), Email Marketing Consent?`,
			leftOut: []string{
				"2 ann@example.com: Consent is empty",
			},
		},
	},
	{
		name: "shopify",
		text: lines(
			"Customer ID,First Name,Last Name,Email,Accepts Email Marketing,Default Address Company,Default Address Phone,Phone,Accepts SMS Marketing,Total Spent,Total Orders,Note,Tax Exempt,Tags",
			`1,Ann,Lee,ann@example.com,yes,,'+15550100002,'+15550100003,no,0.0,0,,no,"vip, blog"`,
		),
		want: outcome{
			mapping: `utf-8 ",", header 1, First Name=firstName, Last Name=lastName, Email=email, Accepts Email Marketing?, Phone=phone, Tags=tags`,
			rows: []string{
				`2|ann@example.com||Ann|Lee|+15550100003||["vip" "blog"]`,
			},
		},
	},
	{
		name: "shopify orders",
		text: lines(
			"Name,Email,Financial Status,Paid at,Fulfillment Status,Accepts Marketing,Cancelled at,Billing Name,Billing Phone,Phone,Tags,Id",
			"#1001,ann@example.com,paid,2024-01-01,fulfilled,yes,,Ann Lee,'+15550100002,,,1",
			"#1002,bo@example.com,refunded,2024-01-01,,yes,2024-02-02,Bo Li,,,,2",
			",bo@example.com,,,,,,,,,,",
		),
		want: outcome{
			mapping: `utf-8 ",", header 1, Name has full names: --map fullName=Name splits them, Email=email, Financial Status?, Fulfillment Status?, Accepts Marketing? (1 in Accepts Marketing), Cancelled at? (1 in Cancelled at), Billing Name has full names: --map fullName="Billing Name" splits them, Phone=phone, Tags=tags`,
			rows: []string{
				"2|ann@example.com",
			},
			listed: []string{
				"4 duplicate: row 3 has the same email and is used",
			},
			leftOut: []string{
				"3 bo@example.com: Cancelled at is set",
			},
		},
	},
	{
		name: "woo",
		text: lines(
			"customer_id,first_name,last_name,username,name,email,date_registered,billing_phone,billing_email",
			"1,Ann,Lee,ann,Ann Lee,ann@example.com,2024,+15550100002,ann@example.com",
		),
		want: outcome{
			err: `2 columns could be email: "email" (#6), "billing_email" (#9); choose one with --map email=email, or exclude the others with --ignore`,
		},
	},
	{
		name: "woo2",
		text: lines(
			"Name,Username,Last active,Sign up,Email,Orders,Total spend,AOV,Country / Region,City",
			"Ann Lee,ann,2024-01-01,2024,ann@example.com,1,10,10,US,Rome",
		),
		want: outcome{
			mapping: `utf-8 ",", header 1, Name has full names: --map fullName=Name splits them, Email=email`,
			rows: []string{
				"2|ann@example.com",
			},
		},
	},
	{
		name: "square",
		text: lines(
			"Reference ID,First Name,Last Name,Email Address,Phone Number,Nickname,Company Name,Email Subscription Status,Instant Profile,Blacklisted",
			"1,Ann,Lee,ann@example.com,'+15550100002,,,subscribed,No,No",
			"2,Bo,Li,bo@example.com,,,,unsubscribed,No,No",
		),
		want: outcome{
			mapping: `utf-8 ",", header 1, First Name=firstName, Last Name=lastName, Email Address=email, Phone Number=phone, Email Subscription Status? (1 in Email Subscription Status), Blacklisted?`,
			rows: []string{
				"2|ann@example.com||Ann|Lee|+15550100002",
			},
			leftOut: []string{
				`3 bo@example.com: Email Subscription Status is "unsubscribed"`,
			},
		},
	},
	{
		name: "calendly",
		text: lines(
			"Team,Event Type Name,Invitee Name,Invitee First Name,Invitee Last Name,Invitee Email,Text Reminder Number,Canceled,Canceled By,Cancellation reason,Marked as No-Show",
			"T,E,Ann Lee,Ann,Lee,ann@example.com,+15550100002,false,,,No",
			"T,E,Bo,Bo,Li,bo@example.com,,true,Bo,sick,No",
			"T,E,Cy,Cy,Li,cy@example.com,,false,,,Yes",
		),
		want: outcome{
			mapping: `utf-8 ",", header 1, Invitee First Name=firstName, Invitee Last Name=lastName, Invitee Email=email, Text Reminder Number=phone, Canceled? (1 in Canceled), Canceled By?, Cancellation reason?, Marked as No-Show? (1 in Marked as No-Show)`,
			rows: []string{
				"2|ann@example.com||Ann|Lee|+15550100002",
			},
			leftOut: []string{
				"3 bo@example.com: Canceled is set",
				"4 cy@example.com: Marked as No-Show is set",
			},
		},
	},
	{
		name: "doctolib",
		text: lines(
			"Civilité;Nom;Nom de naissance;Prénom;Date de naissance;Téléphone portable;Téléphone fixe;E-mail;Statut du RDV",
			"Mme;LEE;LEE;Ann;01/02/1980;06 12 34 56 78;;ann@example.com;Vu",
			"M.;LI;;Bo;01/02/1980;;;bo@example.com;Absent non excusé",
		),
		want: outcome{
			mapping: `utf-8 ";", header 1, Civilité=title, Nom=lastName, Prénom=firstName, Téléphone portable=phone, E-mail=email, Statut du RDV? (1 in Statut du RDV)`,
			rows: []string{
				"2|ann@example.com|Mme|Ann|LEE",
			},
			listed: []string{
				"2 the phone is left out: it has no country code; add --region",
			},
			leftOut: []string{
				`3 bo@example.com: Statut du RDV is "Absent non excusé"`,
			},
		},
	},
	{
		name: "doctolib2",
		text: lines(
			"Patient;Email du patient;Portable;Motif;Statut;Date",
			"LEE Ann;ann@example.com;0612345678;Consultation;Honoré;01/02/2024",
		),
		want: outcome{
			mapping: `utf-8 ";", header 1, Patient has full names: --map fullName=Patient splits them, Email du patient=email, Portable=phone, Statut?`,
			rows: []string{
				"2|ann@example.com",
			},
			listed: []string{
				"2 the phone is left out: it has no country code; add --region",
			},
		},
	},
	{
		name: "treatwell",
		text: lines(
			"Kundenname;E-Mail;Telefonnummer;Newsletter;Termine gesamt;Nicht erschienen",
			"Ann Lee;ann@example.com;+49 170 1234567;ja;3;0",
			"Bo;bo@example.com;;nein;3;0",
			"Cy;cy@example.com;;ja;3;2",
		),
		want: outcome{
			mapping: `utf-8 ";", header 1, Kundenname has full names: --map fullName=Kundenname splits them, E-Mail=email, Telefonnummer=phone, Newsletter? (1 in Newsletter), Nicht erschienen? (1 in Nicht erschienen)`,
			rows: []string{
				"2|ann@example.com||||+491701234567",
			},
			leftOut: []string{
				`3 bo@example.com: Newsletter is "nein"`,
				"4 cy@example.com: Nicht erschienen is set",
			},
		},
	},
	{
		name: "fresha",
		text: lines(
			"First Name,Last Name,Full Name,Blocked,Block Reason,Gender,Mobile Number,Telephone,Email,Accepts Marketing,Accepts SMS Marketing,Client source",
			"Ann,Lee,Ann Lee,No,,F,+1 555-010-0002,,ann@example.com,Yes,No,web",
			"Bo,Li,Bo Li,Yes,rude,F,,,bo@example.com,Yes,No,web",
		),
		want: outcome{
			mapping: `utf-8 ",", header 1, First Name=firstName, Last Name=lastName, Blocked? (1 in Blocked), Mobile Number=phone, Email=email, Accepts Marketing?`,
			rows: []string{
				"2|ann@example.com||Ann|Lee|+15550100002",
			},
			leftOut: []string{
				"3 bo@example.com: Blocked is set",
			},
		},
	},
	{
		name: "mindbody",
		text: lines(
			"ID,Last Name,First Name,Email,Mobile Phone,Home Phone,Status,Email Opt-in,Promotional Emails",
			"1,Lee,Ann,ann@example.com,5550100002,,Active,Yes,Yes",
			"2,Li,Bo,bo@example.com,,,Active,No,Yes",
		),
		want: outcome{
			mapping: `utf-8 ",", header 1, Last Name=lastName, First Name=firstName, Email=email, Mobile Phone=phone, Status?, Email Opt-in? (1 in Email Opt-in), Promotional Emails?`,
			rows: []string{
				"2|ann@example.com||Ann|Lee",
			},
			listed: []string{
				"2 the phone is left out: it has no country code; add --region",
			},
			leftOut: []string{
				`3 bo@example.com: Email Opt-in is "No"`,
			},
		},
	},
	{
		name: "google old",
		text: lines(
			"Name,Given Name,Additional Name,Family Name,Yomi Name,Name Prefix,Group Membership,E-mail 1 - Type,E-mail 1 - Value,E-mail 2 - Type,E-mail 2 - Value,Phone 1 - Type,Phone 1 - Value",
			"Ann Lee,Ann,,Lee,,Dr.,* myContacts ::: Friends,* Home,ann@example.com,,,Mobile,+1 555-010-0002",
		),
		want: outcome{
			mapping: `utf-8 ",", header 1, Given Name=firstName, Family Name=lastName, Name Prefix=title, Group Membership=tags, E-mail 1 - Value=email, Phone 1 - Value=phone`,
			rows: []string{
				`2|ann@example.com|Dr.|Ann|Lee|+15550100002||["Friends"]`,
			},
		},
	},
	{
		name: "google new fr",
		text: lines(
			"Prénom,Deuxième prénom,Nom de famille,Libellés,E-mail 1 - Étiquette,E-mail 1 - Valeur,Téléphone 1 - Étiquette,Téléphone 1 - Valeur",
			"Ann,,Lee,* myContacts,* Home,ann@example.com,Mobile,+33612345678",
		),
		want: outcome{
			mapping: `utf-8 ",", header 1, Prénom=firstName, Nom de famille=lastName, Libellés=tags, E-mail 1 - Valeur=email, Téléphone 1 - Valeur=phone`,
			rows: []string{
				"2|ann@example.com||Ann|Lee|+33612345678",
			},
		},
	},
	{
		name: "google new de",
		text: lines(
			"Vorname,Nachname,Labels,E-Mail 1 - Label,E-Mail 1 - Wert,Telefon 1 - Label,Telefon 1 - Wert",
			"Ann,Lee,* myContacts,* Home,ann@example.com,Mobile,+4917012345678",
		),
		want: outcome{
			mapping: `utf-8 ",", header 1, Vorname=firstName, Nachname=lastName, Labels=tags, E-Mail 1 - Wert=email, Telefon 1 - Wert=phone`,
			rows: []string{
				"2|ann@example.com||Ann|Lee|+4917012345678",
			},
		},
	},
	{
		name: "outlook",
		text: lines(
			"Title,First Name,Middle Name,Last Name,Suffix,Company,Department,Job Title,Business Phone,Home Phone,Mobile Phone,E-mail Address,E-mail Type,E-mail 2 Address,Language",
			"Mr.,Ann,,Lee,,,,,,,+15550100002,ann@example.com,SMTP,,French",
		),
		want: outcome{
			mapping: `utf-8 ",", header 1, Title=title, First Name=firstName, Last Name=lastName, Mobile Phone=phone, E-mail Address=email, Language=preferredLanguage`,
			rows: []string{
				"2|ann@example.com|Mr.|Ann|Lee|+15550100002|fr",
			},
		},
	},
	{
		name: "outlook fr",
		text: lines(
			"Titre;Prénom;Nom;Société;Téléphone (bureau);Tél. mobile;Adresse de messagerie;Langue",
			"M.;Ann;Lee;Acme;;+33612345678;ann@example.com;Français",
		),
		want: outcome{
			mapping: `utf-8 ";", header 1, Titre=title, Prénom=firstName, Nom=lastName, Tél. mobile=phone, Adresse de messagerie=email, Langue=preferredLanguage`,
			rows: []string{
				"2|ann@example.com|M.|Ann|Lee|+33612345678|fr",
			},
		},
	},
	{
		name: "outlook de",
		text: lines(
			"Anrede;Vorname;Nachname;Firma;Mobiltelefon;E-Mail-Adresse;Sprache",
			"Frau;Ann;Lee;Acme;+4917012345678;ann@example.com;Deutsch",
		),
		want: outcome{
			mapping: `utf-8 ";", header 1, Anrede=title, Vorname=firstName, Nachname=lastName, Mobiltelefon=phone, E-Mail-Adresse=email, Sprache=preferredLanguage`,
			rows: []string{
				"2|ann@example.com|Frau|Ann|Lee|+4917012345678",
			},
			listed: []string{
				"2 the language is left out: use English or French",
			},
		},
	},
	{
		name: "outlook es",
		text: lines(
			"Tratamiento;Nombre;Apellidos;Teléfono móvil;Dirección de correo electrónico",
			"Sra.;Ana;Ruiz;+34612345678;ana@example.com",
		),
		want: outcome{
			mapping: `utf-8 ";", header 1, Tratamiento=title, Nombre=firstName, Apellidos=lastName, Teléfono móvil=phone, Dirección de correo electrónico=email`,
			rows: []string{
				"2|ana@example.com|Sra.|Ana|Ruiz|+34612345678",
			},
		},
	},
	{
		name: "outlook it",
		text: lines(
			"Titolo;Nome;Cognome;Cellulare;Indirizzo posta elettronica",
			"Sig.;Ana;Rossi;+393471234567;ana@example.com",
		),
		want: outcome{
			mapping: `utf-8 ";", header 1, Titolo=title, Nome=firstName, Cognome=lastName, Cellulare=phone, Indirizzo posta elettronica=email`,
			rows: []string{
				"2|ana@example.com|Sig.|Ana|Rossi|+393471234567",
			},
		},
	},
	{
		name: "outlook nl",
		text: lines(
			"Titel;Voornaam;Achternaam;Mobiele telefoon;E-mailadres",
			"Mw.;Ana;de Vries;+31612345678;ana@example.com",
		),
		want: outcome{
			mapping: `utf-8 ";", header 1, Titel=title, Voornaam=firstName, Achternaam=lastName, Mobiele telefoon=phone, E-mailadres=email`,
			rows: []string{
				"2|ana@example.com|Mw.|Ana|de Vries|+31612345678",
			},
		},
	},
	{
		name: "outlook pt",
		text: lines(
			"Título;Nome;Apelido;Telemóvel;Endereço de correio eletrónico",
			"Sra.;Ana;Silva;+351912345678;ana@example.com",
		),
		want: outcome{
			mapping: `utf-8 ";", header 1, Título=title, Nome=firstName, Apelido=lastName, Telemóvel=phone, Endereço de correio eletrónico=email`,
			rows: []string{
				"2|ana@example.com|Sra.|Ana|Silva|+351912345678",
			},
		},
	},
	{
		name: "br",
		text: lines(
			"Nome;Sobrenome;Celular;E-mail;Aceita marketing",
			"Ana;Silva;+5511987654321;ana@example.com;Sim",
			"Bia;Silva;;bia@example.com;Não",
		),
		want: outcome{
			mapping: `utf-8 ";", header 1, Nome=firstName, Sobrenome=lastName, Celular=phone, E-mail=email, Aceita marketing? (1 in Aceita marketing)`,
			rows: []string{
				"2|ana@example.com||Ana|Silva|+5511987654321",
			},
			leftOut: []string{
				`3 bia@example.com: Aceita marketing is "Não"`,
			},
		},
	},
	{
		name: "mailchimp",
		text: lines(
			"Email Address,First Name,Last Name,Address,Phone Number,Birthday,MEMBER_RATING,OPTIN_TIME,OPTIN_IP,CONFIRM_TIME,CONFIRM_IP,LATITUDE,LAST_CHANGED,LEID,EUID,NOTES,TAGS",
			`ann@example.com,Ann,Lee,,,,2,2024-01-01,,2024,,,,,,,"""VIP"",""Blog, new"""`,
		),
		want: outcome{
			mapping: `utf-8 ",", header 1, Email Address=email, First Name=firstName, Last Name=lastName, Phone Number=phone, TAGS=tags`,
			rows: []string{
				`2|ann@example.com||Ann|Lee|||["VIP" "Blog, new"]`,
			},
		},
	},
	{
		name: "activecampaign",
		text: lines(
			"Email,First Name,Last Name,Phone,Customer Account,Tags,Date Created,IP Address,Status,Bounced Count",
			`ann@example.com,Ann,Lee,,,"a, b",2024,,Active,0`,
			"bo@example.com,Bo,Li,,,,2024,,Bounced,3",
		),
		want: outcome{
			mapping: `utf-8 ",", header 1, Email=email, First Name=firstName, Last Name=lastName, Phone=phone, Tags=tags, Status? (1 in Status), Bounced Count?`,
			rows: []string{
				`2|ann@example.com||Ann|Lee|||["a" "b"]`,
			},
			leftOut: []string{
				`3 bo@example.com: Status is "Bounced"`,
			},
		},
	},
	{
		name: "full name only",
		text: lines(
			"Name,Email",
			"Ann Lee,ann@example.com",
		),
		want: outcome{
			mapping: `utf-8 ",", header 1, Name has full names: --map fullName=Name splits them, Email=email`,
			rows: []string{
				"2|ann@example.com",
			},
		},
	},
	{
		name: "total row",
		text: lines(
			"Name;Email;Umsatz",
			"Ann;ann@example.com;10",
			"Bo;bo@example.com;20",
			"Summe;;30",
		),
		want: outcome{
			mapping: `utf-8 ";", header 1, Name has full names: --map fullName=Name splits them, Email=email`,
			rows: []string{
				"2|ann@example.com",
				"3|bo@example.com",
			},
			listed: []string{
				"4 invalid: the email is empty",
			},
		},
	},
	{
		name: "title lines",
		text: lines(
			"Kundenliste;;",
			"Stand: 01.02.2024;;",
			";;",
			"Vorname;Nachname;E-Mail",
			"Ann;Lee;ann@example.com",
		),
		want: outcome{
			mapping: `utf-8 ";", header 4, Vorname=firstName, Nachname=lastName, E-Mail=email`,
			rows: []string{
				"5|ann@example.com||Ann|Lee",
			},
		},
	},
	{
		name: "empty columns",
		text: lines(
			",,Email,,First name,",
			",,ann@example.com,,Ann,",
		),
		want: outcome{
			mapping: `utf-8 ",", header 1, Email=email, First name=firstName`,
			rows: []string{
				"2|ann@example.com||Ann",
			},
		},
	},
	{
		name: "mixed",
		text: "Email,First name\r\na@example.com,A\nb@example.com,B\rc@example.com,C\r\n",
		want: outcome{
			mapping: `utf-8 ",", header 1, Email=email, First name=firstName`,
			rows: []string{
				"2|a@example.com||A",
			},
			listed: []string{
				"3 invalid: the row has 3 cells for 2 columns: quote the cells that contain a separator",
			},
		},
	},
	{
		name: "nul",
		text: lines(
			"Email,First name",
			"a@example.com,A\x00nn",
		),
		want: outcome{
			mapping: `utf-8 ",", header 1, Email=email, First name=firstName`,
			rows: []string{
				"2|a@example.com||A nn",
			},
		},
	},
	{
		name: "email forms",
		text: lines(
			"Email,First name",
			`"Ann Lee <ann@example.com>",A`,
			"mailto:bo@example.com,B",
			"'cy@example.com,C",
			"\u00a0di@example.com\u00a0,D",
			"el\u00adla@example.com,E",
			`"fa@example.com; ga@example.com",F`,
			"<ha@example.com>,H",
			`"ia@example.com / ja@example.com",I`,
			"ka@example.com (work),K",
			"la@example.com.,L",
			"ma@@example.com,M",
			"na @example.com,N",
			"oa@x,O",
			"pa@example.com pb@example.com,P",
			`"[qa@example.com](mailto:qa@example.com)",Q`,
			"mailto:ra@example.com?subject=hi,R",
			"SA@X.COM,S",
			"ta@x,com,T",
			"ua(at)example.com,U",
			"n/a,V",
			"-,W",
			"va@münchen.de,X",
		),
		want: outcome{
			mapping: `utf-8 ",", header 1, Email=email, First name=firstName`,
			rows: []string{
				"2|ann@example.com||A",
				"3|bo@example.com||B",
				"… 14 in all",
				"23|va@münchen.de||X",
			},
			listed: []string{
				"7 the email cell has 2 addresses: the first one is used",
				"9 the email cell has 2 addresses: the first one is used",
				"12 invalid: the email is not of the form name@host",
				"13 invalid: the email holds white space or a control character; trim it",
				"14 invalid: the email has no complete host, such as example.com",
				"15 the email cell has 2 addresses: the first one is used",
				"16 invalid: the email is not of the form name@host",
				"19 invalid: the row has 3 cells for 2 columns: quote the cells that contain a separator",
				"20 invalid: the email is not of the form name@host",
				"21 invalid: the email is not of the form name@host",
				"22 invalid: the email is not of the form name@host",
			},
		},
	},
	{
		name: "hubspot in German",
		text: lines(
			"Datensatz-ID;Vorname;Nachname;E-Mail;Telefonnummer;Marketingkontakt-Status;Von allen E-Mails abgemeldet",
			"1;Ann;Lee;ann@example.com;+4917012345678;Marketingkontakt;",
			"2;Bo;Li;bo@example.com;;Marketingkontakt;true",
		),
		want: outcome{
			mapping: `utf-8 ";", header 1, Vorname=firstName, Nachname=lastName, E-Mail=email, Telefonnummer=phone, Marketingkontakt-Status?, Von allen E-Mails abgemeldet? (1 in Von allen E-Mails abgemeldet)`,
			rows: []string{
				"2|ann@example.com||Ann|Lee|+4917012345678",
			},
			leftOut: []string{
				"3 bo@example.com: Von allen E-Mails abgemeldet is set",
			},
		},
	},
	{
		name: "hubspot in French",
		text: lines(
			"ID de fiche d'informations,Prénom,Nom de famille,Adresse e-mail,Numéro de téléphone,Désabonné de tous les e-mails",
			"1,Ann,Lee,ann@example.com,+33612345678,",
			"2,Bo,Li,bo@example.com,,true",
		),
		want: outcome{
			mapping: `utf-8 ",", header 1, Prénom=firstName, Nom de famille=lastName, Adresse e-mail=email, Numéro de téléphone=phone, Désabonné de tous les e-mails? (1 in Désabonné de tous les e-mails)`,
			rows: []string{
				"2|ann@example.com||Ann|Lee|+33612345678",
			},
			leftOut: []string{
				"3 bo@example.com: Désabonné de tous les e-mails is set",
			},
		},
	},
	{
		name: "mailchimp in Spanish",
		text: lines(
			"Dirección de correo electrónico,Nombre,Apellidos,Número de teléfono,TAGS",
			"ana@example.com,Ana,Ruiz,+34612345678,",
		),
		want: outcome{
			mapping: `utf-8 ",", header 1, Dirección de correo electrónico=email, Nombre=firstName, Apellidos=lastName, Número de teléfono=phone, TAGS=tags`,
			rows: []string{
				"2|ana@example.com||Ana|Ruiz|+34612345678",
			},
		},
	},
	{
		name: "shopify in French",
		text: lines(
			"Prénom,Nom,E-mail,Accepte le marketing par e-mail,Téléphone,Balises",
			"Ann,Lee,ann@example.com,oui,'+33612345678,vip",
			"Bo,Li,bo@example.com,non,,",
		),
		want: outcome{
			mapping: `utf-8 ",", header 1, Prénom=firstName, Nom=lastName, E-mail=email, Accepte le marketing par e-mail? (1 in Accepte le marketing par e-mail), Téléphone=phone, Balises=tags`,
			rows: []string{
				`2|ann@example.com||Ann|Lee|+33612345678||["vip"]`,
			},
			leftOut: []string{
				`3 bo@example.com: Accepte le marketing par e-mail is "non"`,
			},
		},
	},
	{
		name: "shopify in German",
		text: lines(
			"Vorname,Nachname,E-Mail,Akzeptiert E-Mail-Marketing,Telefon,Tags",
			"Ann,Lee,ann@example.com,ja,,",
			"Bo,Li,bo@example.com,nein,,",
		),
		want: outcome{
			mapping: `utf-8 ",", header 1, Vorname=firstName, Nachname=lastName, E-Mail=email, Akzeptiert E-Mail-Marketing? (1 in Akzeptiert E-Mail-Marketing), Telefon=phone, Tags=tags`,
			rows: []string{
				"2|ann@example.com||Ann|Lee",
			},
			leftOut: []string{
				`3 bo@example.com: Akzeptiert E-Mail-Marketing is "nein"`,
			},
		},
	},
	{
		name: "acuity",
		text: lines(
			"Start Time,End Time,First Name,Last Name,Phone,Email,Type,Calendar,Canceled,No Show",
			"1,2,Ann,Lee,,ann@example.com,Cut,Bo,no,no",
			"1,2,Cy,Li,,cy@example.com,Cut,Bo,yes,no",
			"1,2,Di,Li,,di@example.com,Cut,Bo,no,yes",
		),
		want: outcome{
			mapping: `utf-8 ",", header 1, First Name=firstName, Last Name=lastName, Phone=phone, Email=email, Canceled? (1 in Canceled), No Show? (1 in No Show)`,
			rows: []string{
				"2|ann@example.com||Ann|Lee",
			},
			leftOut: []string{
				"3 cy@example.com: Canceled is set",
				"4 di@example.com: No Show is set",
			},
		},
	},
	{
		name: "eventbrite",
		text: lines(
			"Order #,First Name,Last Name,Email,Ticket Type,Attendee Status",
			"1,Ann,Lee,ann@example.com,GA,Attending",
			"2,Bo,Li,bo@example.com,GA,Checked In",
			"3,Cy,Li,cy@example.com,GA,Not Attending",
			"4,Di,Li,di@example.com,GA,Deleted",
		),
		want: outcome{
			mapping: `utf-8 ",", header 1, First Name=firstName, Last Name=lastName, Email=email, Attendee Status? (2 in Attendee Status)`,
			rows: []string{
				"2|ann@example.com||Ann|Lee",
				"3|bo@example.com||Bo|Li",
			},
			leftOut: []string{
				`4 cy@example.com: Attendee Status is "Not Attending"`,
				`5 di@example.com: Attendee Status is "Deleted"`,
			},
		},
	},
	{
		name: "booksy",
		text: lines(
			"Client;Phone;Email;Marketing consent;Last visit;No-shows",
			"Ann Lee;+48512345678;ann@example.com;Yes;2024-01-01;0",
			"Bo;;bo@example.com;No;;0",
			"Cy;;cy@example.com;Yes;;2",
		),
		want: outcome{
			mapping: `utf-8 ";", header 1, Client has full names: --map fullName=Client splits them, Phone=phone, Email=email, Marketing consent? (1 in Marketing consent), No-shows? (1 in No-shows)`,
			rows: []string{
				"2|ann@example.com||||+48512345678",
			},
			leftOut: []string{
				`3 bo@example.com: Marketing consent is "No"`,
				"4 cy@example.com: No-shows is set",
			},
		},
	},
	{
		name: "vagaro",
		text: lines(
			"Customer Name,Email,Cell,Appointment Status",
			`"Lee, Ann",ann@example.com,(555) 010-0002,Completed`,
			`"Li, Bo",bo@example.com,,No Show`,
			`"Li, Cy",cy@example.com,,Cancelled by Customer`,
			`"Li, Di",di@example.com,,Denied`,
		),
		want: outcome{
			mapping: `utf-8 ",", header 1, Customer Name has full names: --map fullName="Customer Name" splits them, Email=email, Cell=phone, Appointment Status? (3 in Appointment Status)`,
			rows: []string{
				"2|ann@example.com",
			},
			listed: []string{
				"2 the phone is left out: it has no country code; add --region",
			},
			leftOut: []string{
				`3 bo@example.com: Appointment Status is "No Show"`,
				`4 cy@example.com: Appointment Status is "Cancelled by Customer"`,
				`5 di@example.com: Appointment Status is "Denied"`,
			},
		},
	},
	{
		name: "jane clinic",
		text: lines(
			"Patient First Name,Patient Last Name,Patient Email,Patient Mobile,State",
			"Ann,Lee,ann@example.com,,arrived",
			"Bo,Li,bo@example.com,,no_show",
			"Cy,Li,cy@example.com,,cancelled",
		),
		want: outcome{
			mapping: `utf-8 ",", header 1, Patient First Name=firstName, Patient Last Name=lastName, Patient Email=email, State? (2 in State)`,
			rows: []string{
				"2|ann@example.com||Ann|Lee",
			},
			leftOut: []string{
				`3 bo@example.com: State is "no_show"`,
				`4 cy@example.com: State is "cancelled"`,
			},
		},
	},
	{
		name: "cliniko",
		text: lines(
			"Title,First name,Last name,Preferred first name,Email,Receives confirmation emails,Receives cancellation emails,Archived at,Deceased,Phone numbers",
			"Ms,Ann,Lee,,ann@example.com,Yes,Yes,,No,+61412345678 (Mobile)",
			"Mr,Bo,Li,,bo@example.com,Yes,Yes,2024-01-01,No,",
		),
		want: outcome{
			mapping: `utf-8 ",", header 1, Title=title, First name=firstName, Last name=lastName, Email=email, Archived at? (1 in Archived at), Deceased?`,
			rows: []string{
				"2|ann@example.com|Ms|Ann|Lee",
			},
			leftOut: []string{
				"3 bo@example.com: Archived at is set",
			},
		},
	},
	{
		name: "lightspeed",
		text: lines(
			"first_name,last_name,email,phone,mobile,do_not_email,customer_code",
			"Ann,Lee,ann@example.com,,,0,1",
			"Bo,Li,bo@example.com,,,1,2",
		),
		want: outcome{
			mapping: `utf-8 ",", header 1, first_name=firstName, last_name=lastName, email=email, mobile=phone, do_not_email? (1 in do_not_email)`,
			rows: []string{
				"2|ann@example.com||Ann|Lee",
			},
			leftOut: []string{
				"3 bo@example.com: do_not_email is set",
			},
		},
	},
	{
		name: "prestashop",
		text: lines(
			"ID;Titre;Prénom;Nom;Adresse e-mail;Activé;Newsletter;Offres partenaires;Date d'inscription",
			"1;Mme;Ann;Lee;ann@example.com;1;1;0;2024-01-01",
			"2;M;Bo;Li;bo@example.com;1;0;0;2024-01-01",
		),
		want: outcome{
			mapping: `utf-8 ";", header 1, Titre=title, Prénom=firstName, Nom=lastName, Adresse e-mail=email, Activé?, Newsletter? (1 in Newsletter)`,
			rows: []string{
				"2|ann@example.com|Mme|Ann|Lee",
			},
			leftOut: []string{
				`3 bo@example.com: Newsletter is "0"`,
			},
		},
	},
	{
		name: "magento",
		text: lines(
			"ID,Name,Email,Group,Phone,Account Lock,Newsletter Subscription Status",
			"1,Ann Lee,ann@example.com,General,,Unlocked,Subscribed",
			"2,Bo,bo@example.com,General,,Unlocked,Unsubscribed",
		),
		want: outcome{
			mapping: `utf-8 ",", header 1, Name has full names: --map fullName=Name splits them, Email=email, Phone=phone, Newsletter Subscription Status? (1 in Newsletter Subscription Status)`,
			rows: []string{
				"2|ann@example.com",
			},
			leftOut: []string{
				`3 bo@example.com: Newsletter Subscription Status is "Unsubscribed"`,
			},
		},
	},
	{
		name: "wix",
		text: lines(
			"Email 1,First Name,Last Name,Phone 1,Email subscriber status,SMS subscriber status,Labels",
			"ann@example.com,Ann,Lee,,Subscribed,Not subscribed,vip",
			"bo@example.com,Bo,Li,,Unsubscribed,,",
			"cy@example.com,Cy,Li,,Never subscribed,,",
		),
		want: outcome{
			mapping: `utf-8 ",", header 1, Email 1=email, First Name=firstName, Last Name=lastName, Phone 1=phone, Email subscriber status? (2 in Email subscriber status), Labels=tags`,
			rows: []string{
				`2|ann@example.com||Ann|Lee|||["vip"]`,
			},
			leftOut: []string{
				`3 bo@example.com: Email subscriber status is "Unsubscribed"`,
				`4 cy@example.com: Email subscriber status is "Never subscribed"`,
			},
		},
	},
	{
		name: "squarespace",
		text: lines(
			"Email,First Name,Last Name,Accepts Marketing,Created On,Order Count",
			"ann@example.com,Ann,Lee,true,2024,1",
			"bo@example.com,Bo,Li,false,2024,1",
		),
		want: outcome{
			mapping: `utf-8 ",", header 1, Email=email, First Name=firstName, Last Name=lastName, Accepts Marketing? (1 in Accepts Marketing)`,
			rows: []string{
				"2|ann@example.com||Ann|Lee",
			},
			leftOut: []string{
				`3 bo@example.com: Accepts Marketing is "false"`,
			},
		},
	},
	{
		name: "stripe",
		text: lines(
			"id,Email,Name,Delinquent,Created (UTC)",
			"cus_1,ann@example.com,Ann Lee,false,2024-01-01",
		),
		want: outcome{
			mapping: `utf-8 ",", header 1, Email=email, Name has full names: --map fullName=Name splits them`,
			rows: []string{
				"2|ann@example.com",
			},
		},
	},
	{
		name: "substack",
		text: lines(
			"Email,Name,Subscribed to emails,Type",
			"ann@example.com,Ann,true,Free",
			"bo@example.com,Bo,false,Free",
		),
		want: outcome{
			mapping: `utf-8 ",", header 1, Email=email, Name has full names: --map fullName=Name splits them, Subscribed to emails? (1 in Subscribed to emails)`,
			rows: []string{
				"2|ann@example.com",
			},
			leftOut: []string{
				`3 bo@example.com: Subscribed to emails is "false"`,
			},
		},
	},
	{
		name: "sendgrid",
		text: lines(
			"email,first_name,last_name,phone_number,unsubscribe_groups",
			"ann@example.com,Ann,Lee,,",
			"bo@example.com,Bo,Li,,12",
		),
		want: outcome{
			mapping: `utf-8 ",", header 1, email=email, first_name=firstName, last_name=lastName, phone_number=phone, unsubscribe_groups? (1 in unsubscribe_groups)`,
			rows: []string{
				"2|ann@example.com||Ann|Lee",
			},
			leftOut: []string{
				"3 bo@example.com: unsubscribe_groups is set",
			},
		},
	},
	{
		name: "suppressions",
		text: lines(
			"email,reason,created",
			"ann@example.com,bounce,2024",
			"bo@example.com,550 5.1.1 no such user,2024",
		),
		want: outcome{
			mapping: `utf-8 ",", header 1, email=email (1 in reason)`,
			rows: []string{
				"3|bo@example.com",
			},
			leftOut: []string{
				`2 ann@example.com: reason is "bounce"`,
			},
		},
	},
	{
		name: "apple contacts",
		text: lines(
			"First Name;Last Name;E-mail (Home);E-mail (Work);Phone (mobile)",
			"Ann;Lee;ann@example.com;;+15550100002",
		),
		want: outcome{
			err: `2 columns could be email: "E-mail (Home)" (#3), "E-mail (Work)" (#4); choose one with --map email="E-mail (Home)", or exclude the others with --ignore`,
		},
	},
	{
		name: "totals in front",
		text: lines(
			"Total contacts: 2,,",
			"Exported by bo@shop.com,,",
			",,",
			"Email,First name,Last name",
			"ann@example.com,Ann,Lee",
			"bo@example.com,Bo,Li",
		),
		want: outcome{
			mapping: `utf-8 ",", header 4, Email=email, First name=firstName, Last name=lastName`,
			rows: []string{
				"5|ann@example.com||Ann|Lee",
				"6|bo@example.com||Bo|Li",
			},
		},
	},
	{
		name: "semicolons in commas",
		text: lines(
			"Email,First name,Tags",
			"ann@example.com,Ann,a;b;c",
			"bo@example.com,Bo,d;e;f",
		),
		want: outcome{
			mapping: `utf-8 ",", header 1, Email=email, First name=firstName, Tags=tags`,
			rows: []string{
				`2|ann@example.com||Ann||||["a" "b" "c"]`,
				`3|bo@example.com||Bo||||["d" "e" "f"]`,
			},
		},
	},
	{
		name: "quoted everything",
		text: lines(
			`"Email";"Vorname";"Nachname"`,
			`"ann@example.com";"Ann";"Lee; Jr."`,
		),
		want: outcome{
			mapping: `utf-8 ";", header 1, Email=email, Vorname=firstName, Nachname=lastName`,
			rows: []string{
				"2|ann@example.com||Ann|Lee; Jr.",
			},
		},
	},
	{
		name: "whole row in quotes",
		text: lines(
			`"Email,First name"`,
			`"ann@example.com,Ann"`,
		),
		want: outcome{
			err: `no column is known as the email; "Email,First name" (#1) contains addresses: add --map email="Email,First name"`,
		},
	},
	{
		name: "two header rows",
		text: lines(
			"Contact,,",
			"Email,First name,Last name",
			"ann@example.com,Ann,Lee",
		),
		want: outcome{
			mapping: `utf-8 ",", header 2, Email=email, First name=firstName, Last name=lastName`,
			rows: []string{
				"3|ann@example.com||Ann|Lee",
			},
		},
	},
	{
		name: "repeated header",
		text: lines(
			"Email,First name",
			"ann@example.com,Ann",
			"Email,First name",
			"bo@example.com,Bo",
		),
		want: outcome{
			mapping: `utf-8 ",", header 1, Email=email, First name=firstName`,
			rows: []string{
				"2|ann@example.com||Ann",
				"4|bo@example.com||Bo",
			},
			listed: []string{
				"3 invalid: the email is not of the form name@host",
			},
		},
	},
	{
		name: "lone cr in rows",
		text: "Email,First name\r\na@example.com,A\rb@example.com,B\r\nc@example.com,C\r\n",
		want: outcome{
			mapping: `utf-8 ",", header 1, Email=email, First name=firstName`,
			rows: []string{
				"3|c@example.com||C",
			},
			listed: []string{
				"2 invalid: the row has 3 cells for 2 columns: quote the cells that contain a separator",
			},
		},
	},
	{
		name: "indented",
		text: lines(
			"  Email  ,  First name ",
			"  ann@example.com , Ann ",
		),
		want: outcome{
			mapping: `utf-8 ",", header 1, Email=email, First name=firstName`,
			rows: []string{
				"2|ann@example.com||Ann",
			},
		},
	},
	{
		name: "consent by words",
		text: lines(
			"Email,First name,Do you want our newsletter?",
			"ann@example.com,Ann,Yes please",
			"bo@example.com,Bo,No thanks",
			"cy@example.com,Cy,No thank you!",
			"di@example.com,Di,Nein danke",
			"el@example.com,El,Non merci",
			"fa@example.com,Fa,I do not want emails",
		),
		want: outcome{
			mapping: `utf-8 ",", header 1, Email=email, First name=firstName, Do you want our newsletter?? (5 in Do you want our newsletter?)`,
			rows: []string{
				"2|ann@example.com||Ann",
			},
			leftOut: []string{
				`3 bo@example.com: Do you want our newsletter? is "No thanks"`,
				`4 cy@example.com: Do you want our newsletter? is "No thank you!"`,
				`5 di@example.com: Do you want our newsletter? is "Nein danke"`,
				`6 el@example.com: Do you want our newsletter? is "Non merci"`,
				`7 fa@example.com: Do you want our newsletter? is "I do not want emails"`,
			},
		},
	},
	{
		name: "phones",
		text: lines(
			"Email,Phone",
			"a@example.com,+1 (555) 010-0002 ext. 5",
			"b@example.com,0049 170 1234567",
			"c@example.com,4.91701E+11",
			"d@example.com,'+15550100002",
			"e@example.com,+49 (0)170 1234567",
			`f@example.com,"+15550100002, +15550100003"`,
			"g@example.com,+15550100002 / +15550100003",
			"h@example.com,491701234567",
			"i@example.com,=+15550100002",
			`j@example.com,"=""+15550100002"""`,
			"k@example.com,tel:+15550100002",
			"l@example.com,+33 6 12 34 56 78",
			"m@example.com,(555) 010-0002",
			"n@example.com,+15550100002x12",
			"o@example.com,none",
			"p@example.com,+1‑555‑010‑0002",
			"q@example.com,＋15550100002",
			"r@example.com,+1.555.010.0002",
			"s@example.com,0",
			"t@example.com,#N/A",
			"u@example.com,15550100002.0",
			"v@example.com,011 49 170 1234567",
			"w@example.com,+15550100002 (mobile)",
		),
		want: outcome{
			mapping: `utf-8 ",", header 1, Email=email, Phone=phone`,
			rows: []string{
				"2|a@example.com||||+15550100002",
				"3|b@example.com||||+491701234567",
				"… 23 in all",
				"24|w@example.com||||+15550100002",
			},
			listed: []string{
				"2 the extension of the phone is left out",
				"4 the phone is left out: it is not a valid number",
				"7 the phone cell has several numbers: the first one is used",
				"8 the phone cell has several numbers: the first one is used",
				"9 the phone is left out: it has no country code; add --region",
				"14 the phone is left out: it has no country code; add --region",
				"15 the extension of the phone is left out",
				"16 the phone is left out: it is not a valid number",
				"20 the phone is left out: it is not a valid number",
				"21 the phone is left out: it is not a valid number",
				"22 the phone is left out: it has no country code; add --region",
				"23 the phone is left out: it has no country code; add --region",
			},
		},
	},
}
