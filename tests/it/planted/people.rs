//! People who are none: numbers by the published rules, with the birth numbers of the tax agency's test numbers, and
//! every form in which they are written.

/// A xorshift generator: the same in every run.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound.max(1) as u64).unwrap()
    }

    pub(crate) fn one_of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}

/// A personnummer or samordningsnummer.
pub(crate) struct Person {
    /// `19811228`
    day: String,
    /// `9874`
    last: String,
}

impl Person {
    /// Somebody born in one of these years. One in eight has a samordningsnummer.
    pub(crate) fn born(random: &mut Random, years: std::ops::Range<usize>) -> Self {
        let year = years.start + random.below(years.len());
        let coordination = random.below(8) == 0;
        let (month, day) = (1 + random.below(12), 1 + random.below(28));
        let day = if coordination { 60 + random.below(32) } else { day };
        let serial = random.one_of(&[238, 239, 980, 981, 982, 983, 928, 929]);
        let day = format!("{year}{month:02}{day:02}");
        let nine = format!("{}{serial}", &day[2..]);
        Self { last: format!("{serial}{}", check_digit(&nine)), day }
    }

    /// `8112289874`
    pub(crate) fn ten(&self) -> String {
        format!("{}{}", &self.day[2..], self.last)
    }

    /// `811228-9874`
    pub(crate) fn separated(&self) -> String {
        format!("{}-{}", &self.day[2..], self.last)
    }

    /// `19811228-9874`
    pub(crate) fn long(&self) -> String {
        format!("{}-{}", self.day, self.last)
    }

    /// `19811228` and `9874`
    pub(crate) fn halves(&self) -> [&str; 2] {
        [&self.day, &self.last]
    }
}

/// The digit that makes the sum of Luhn's algorithm right.
fn check_digit(nine: &str) -> u32 {
    let sum: u32 = nine
        .bytes()
        .enumerate()
        .map(|(at, digit)| u32::from(digit - b'0') * if at % 2 == 0 { 2 } else { 1 })
        .map(|value| value / 10 + value % 10)
        .sum();
    (10 - sum % 10) % 10
}

/// A form and how it is made: of the day with its century and of the last four.
pub(crate) type Form = (&'static str, fn(&str, &str) -> String);

/// Forms that are a person's number by themselves.
pub(crate) const SURE: &[Form] = &[
    ("twelve", |day, last| format!("{day}{last}")),
    ("8-4", |day, last| format!("{day}-{last}")),
    ("6-4", |day, last| format!("{}-{last}", &day[2..])),
    ("6 4", |day, last| format!("{} {last}", &day[2..])),
    ("8 4", |day, last| format!("{day} {last}")),
    ("en dash", |day, last| format!("{}–{last}", &day[2..])),
    ("minus", |day, last| format!("{}−{last}", &day[2..])),
    ("no-break space", |day, last| format!("{}\u{A0}{last}", &day[2..])),
    ("no-break hyphen", |day, last| format!("{day}\u{2011}{last}")),
    ("blanks and dash", |day, last| format!("{} - {last}", &day[2..])),
    ("zero width", |day, last| format!("{}-\u{200B}{last}", &day[2..])),
    ("soft hyphen", |day, last| format!("{}\u{AD}-{last}", &day[2..])),
    ("4-2-2-4", |day, last| format!("{}-{}-{}-{last}", &day[..4], &day[4..6], &day[6..])),
    ("4 2 2 4", |day, last| format!("{} {} {} {last}", &day[..4], &day[4..6], &day[6..])),
    ("full width", |day, last| {
        let wide = |byte: u8| char::from_u32(u32::from(byte - b'0') + 0xFF10).unwrap();
        format!(
            "{}-{}",
            day.bytes().skip(2).map(wide).collect::<String>(),
            last.bytes().map(wide).collect::<String>()
        )
    }),
];

/// Forms that need a word.
pub(crate) const WITH_A_WORD: &[Form] = &[
    ("ten", |day, last| format!("{}{last}", &day[2..])),
    ("two blanks", |day, last| format!("{}  {last}", &day[2..])),
    ("tab", |day, last| format!("{}\t{last}", &day[2..])),
    ("dot", |day, last| format!("{}.{last}", &day[2..])),
    ("two dashes", |day, last| format!("{}--{last}", &day[2..])),
    ("slash", |day, last| format!("{}/{last}", &day[2..])),
    ("low line", |day, last| format!("{day}_{last}")),
    ("2-2-2 4", |day, last| format!("{}-{}-{} {last}", &day[2..4], &day[4..6], &day[6..])),
    ("2.2.2-4", |day, last| format!("{}.{}.{}-{last}", &day[2..4], &day[4..6], &day[6..])),
    ("4.2.2-4", |day, last| format!("{}.{}.{}-{last}", &day[..4], &day[4..6], &day[6..])),
    ("4/2/2-4", |day, last| format!("{}/{}/{}-{last}", &day[..4], &day[4..6], &day[6..])),
    ("4-2-2 4", |day, last| format!("{}-{}-{} {last}", &day[..4], &day[4..6], &day[6..])),
    ("in brackets", |day, last| format!("{} ({last})", &day[2..])),
    ("last four", |day, last| format!("{}, sista fyra {last}", &day[2..])),
    ("letters for digits", |day, last| {
        format!("{}-{last}", day[2..].replace('0', "O")).replacen('1', "l", 1)
    }),
];

/// Forms that have a line's end in them, where a label stands before.
pub(crate) const OVER_A_LINE: &[Form] = &[
    ("wrapped", |day, last| format!("{}-\r\n{last}", &day[2..])),
    ("quoted", |day, last| format!("{}-\r\n> {last}", &day[2..])),
];
