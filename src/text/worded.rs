//! Enums with one word for each value, in config, log, metrics and headers; the word is stated once, beside the value.

#![deny(clippy::disallowed_methods)]

/// An enum with `Value = "word"` for each value: `ALL` in the order of the words, `as_str`, and `parse` back.
macro_rules! words {
    (
        $(#[$of_enum:meta])*
        $visible:vis enum $name:ident {
            $($(#[$of_value:meta])* $value:ident = $word:literal,)+
        }
    ) => {
        $(#[$of_enum])*
        $visible enum $name {
            $($(#[$of_value])* $value,)+
        }

        #[allow(dead_code, reason = "not every enum uses ALL and parse")]
        impl $name {
            /// Every value, in the order of the code.
            $visible const ALL: [Self; [$($word),+].len()] = [$(Self::$value),+];

            /// The word for it.
            $visible const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$value => $word,)+
                }
            }

            /// The value with that word.
            $visible fn parse(word: &str) -> Option<Self> {
                Self::ALL.into_iter().find(|value| value.as_str() == word)
            }
        }
    };
}

pub(crate) use words;

#[cfg(test)]
mod tests {
    words! {
        /// Sides.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        enum Side {
            /// One.
            Left = "left",
            /// The other.
            Right = "right",
        }
    }

    #[test]
    fn every_word_comes_back() {
        assert_eq!(Side::ALL.map(Side::as_str), ["left", "right"]);
        assert_eq!(Side::ALL.map(|side| Side::parse(side.as_str())), Side::ALL.map(Some));
        assert_eq!([Side::parse("Left"), Side::parse(""), Side::parse("up")], [None; 3]);
    }
}
