//! The words that say what a number beside them is, or is not.

#![deny(clippy::disallowed_methods)]

use std::ops::Range;

/// What a word says of the number beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Says {
    /// It is an identity number, or somebody's day of birth.
    Identity,
    /// There is talk of a person.
    Person,
    /// It is a reserve number of health care.
    Reserve,
    /// It is an identity number of something else: an invoice, a case, a customer.
    Other,
    /// It is a telephone number.
    Phone,
    /// It is a bank account.
    Account,
    /// It is a payment card.
    Card,
    /// It is a bankgiro number.
    Bankgiro,
    /// It is a plusgiro number.
    Plusgiro,
    /// It is a passport's number.
    Passport,
    /// It is an organisation's number.
    Organisation,
    /// It is a Finnish or Norwegian identity number.
    Foreign,
    /// It is a Danish identity number.
    Danish,
    /// It is the number of an asylum seeker's card.
    Lma,
}

impl Says {
    /// Whether it says that a number is somebody's own.
    pub(super) fn is_identity(self) -> bool {
        matches!(self, Self::Identity | Self::Reserve)
    }

    /// Whether it says that a number is something else than a person's.
    pub(super) fn denies(self) -> bool {
        matches!(self, Self::Other | Self::Phone | Self::Bankgiro | Self::Plusgiro)
    }
}

/// How a word may go on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Not at all.
    Whole,
    /// In any letters: endings, compounds.
    Open,
}

/// A word and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Word {
    pub(super) says: Says,
    pub(super) at: Range<usize>,
}

pub(super) const WORDS: &[(Says, End, &[&str])] = &[
    (
        Says::Identity,
        End::Open,
        &[
            "personnum",
            "personnr",
            "person-nr",
            "person-num",
            "person nr",
            "persnr",
            "pers.nr",
            "pers nr",
            "pers.num",
            "samordningsn",
            "samordnings-n",
            "sam.nr",
            "födelsen",
            "fodelsen",
            "födelsedat",
            "fodelsedat",
            "identitetsn",
            "identifikationsn",
            "id-num",
            "id-nr",
            "personal identity",
            "personal id",
            "social security",
            "identity num",
            "civic reg",
            "född",
            "fodd",
        ],
    ),
    (
        Says::Identity,
        End::Whole,
        &[
            "pnr",
            "p-nr",
            "p.nr",
            "p nr",
            "ssn",
            "personid",
            "person-id",
            "patient-id",
            "patientid",
            "f.",
            "born",
            "dob",
            "födelse",
            "date of birth",
        ],
    ),
    (
        Says::Person,
        End::Open,
        &[
            "patient",
            "brukare",
            "elev",
            "klient",
            "sökande",
            "anställd",
            "vårdnadshavare",
            "deltagare",
            "medarbetare",
            "huvudman",
        ],
    ),
    (Says::Person, End::Whole, &["barn", "barnet", "barnets", "barnen", "barnens"]),
    (
        Says::Reserve,
        End::Open,
        &["reservn", "reserv-n", "reservid", "reserv-id", "nrid", "tillfälligt person"],
    ),
    (
        Says::Other,
        End::Open,
        &[
            "faktur",
            "referens",
            "kundn",
            "kund-n",
            "ordern",
            "order-n",
            "beställningsn",
            "följesedel",
            "kvitto",
            "bokningsn",
            "ärendeid",
            "ärende-id",
            "ärenden",
            "diarien",
            "artikeln",
            "serien",
            "leveransn",
            "ticket",
            "invoice",
            "reference",
            "kollin",
            "paketn",
            "spårn",
            "avtalsn",
            "försäkringsn",
            "medlemsn",
            "transaktion",
            "backup",
            "version",
            "protokoll",
            "meteringpoint",
            "anläggningsid",
            "mätarn",
            "isbn",
            "issn",
            "incident",
            "mac-adress",
            "betalningsref",
            "projektn",
            "registreringsn",
            "objektn",
        ],
    ),
    (
        Says::Other,
        End::Whole,
        &[
            "ocr",
            "ocr-nr",
            "ocr-nummer",
            "ocrnummer",
            "ref",
            "ref.",
            "order",
            "kund",
            "dnr",
            "ärende",
            "inc",
            "case",
            "log",
            "imei",
            "ean",
            "gtin",
            "build",
            "batch",
        ],
    ),
    (
        Says::Phone,
        End::Open,
        &["telef", "mobil", "växel", "ring", "phone", "jourtel", "sms", "kontaktnummer", "direktnummer"],
    ),
    (Says::Phone, End::Whole, &["tel", "tel.", "tfn", "tfn.", "mob", "mob.", "fax", "cell", "call"]),
    (
        Says::Account,
        End::Open,
        &[
            "kontonu",
            "kontonr",
            "konto nr",
            "konto-nr",
            "bankkonto",
            "personkonto",
            "lönekonto",
            "clearing",
            "account n",
        ],
    ),
    (Says::Account, End::Whole, &["konto", "kontot", "account"]),
    (
        Says::Card,
        End::Open,
        &[
            "kortnu",
            "kortnr",
            "kreditkort",
            "betalkort",
            "bankkort",
            "mastercard",
            "card n",
            "credit card",
            "debit card",
        ],
    ),
    (Says::Card, End::Whole, &["kort", "kortet", "visa", "card", "amex", "cvc", "cvv"]),
    (Says::Bankgiro, End::Open, &["bankgiro"]),
    (Says::Bankgiro, End::Whole, &["bg", "bg."]),
    (Says::Plusgiro, End::Open, &["plusgiro", "postgiro"]),
    (Says::Plusgiro, End::Whole, &["pg", "pg."]),
    (Says::Passport, End::Open, &["passnu", "passnr", "pass nr", "pass-nr", "passport"]),
    (Says::Passport, End::Whole, &["pass", "passet"]),
    (
        Says::Organisation,
        End::Open,
        &["organisationsn", "orgnr", "org.nr", "org nr", "org-nr", "org.num", "momsreg", "vat n", "moms"],
    ),
    (
        Says::Foreign,
        End::Open,
        &["fødselsn", "fodselsn", "d-nummer", "henkilötunnu", "henkilötunnuks", "hetu", "finsk personb"],
    ),
    (Says::Danish, End::Open, &["cpr"]),
    (Says::Lma, End::Open, &["lma", "dossiern"]),
];
