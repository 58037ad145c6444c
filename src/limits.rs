//! Every bound of the program, with its unit and its reason. Going over one is always visible: a defined answer, a
//! defect among the facts, or a line for the operator.

#![deny(clippy::disallowed_methods)]

mod central;
mod config;
mod console;
mod delivery;
mod follow;
mod held;
mod report;

use std::time::Duration;

use jiff::SignedDuration;

pub use central::*;
pub use config::*;
pub use console::*;
pub use delivery::*;
pub use follow::*;
pub use held::*;
pub use report::*;

// --- The wire -------------------------------------------------------------------------------------------------

/// Octets of one frame, command byte included: the largest body chunk (65,535) and its command.
pub const FRAME_OCTETS: usize = 65_536;
/// Octets of all header fields of one message. Postfix's own `header_size_limit` is 102,400 for each one.
pub const HEADER_OCTETS: usize = 1 << 20;
/// Header fields of one message; more is an attack on programs that count them.
pub const HEADER_FIELDS: usize = 5_000;
/// Octets of a message that are kept for reading. Postfix accepts 10,240,000 by default, municipalities up to 50 MB;
/// what is above is counted, not kept, and the facts say so.
pub const MESSAGE_OCTETS: usize = 64 << 20;
/// Recipients of one transaction. One more is 452 4.5.3 for the whole mail where RCPT has no reply, and the client
/// would try the same again; so no MTA should let as many through (Postfix's `smtpd_recipient_limit` is 1,000). One of
/// usual length counts 180 octets among those in flight, and costs 600 until its mail is answered (measured): 60 MB
/// for all.
pub const RECIPIENTS: usize = 100_000;
/// Octets of one address with its parameters; RFC 5321 has 256 for a path, SMTPUTF8 and parameters need more. An author
/// with a longer one is not remembered.
pub const ADDRESS_OCTETS: usize = 8_192;
/// Octets of all macro values that are kept for one connection.
pub const MACRO_OCTETS: usize = 64 << 10;
/// Octets of messages in flight over all connections, however much memory there is; above it connections are read no
/// further until some are done.
pub const IN_FLIGHT_OCTETS: usize = 1 << 30;
/// Octets of memory that mail in progress needs at the least: room for the largest message and what comes out of it.
pub const MEMORY_OCTETS_LEAST: u64 = 512 << 20;
/// Which part of the machine's memory mail in progress may take, where the config does not say: one of so many.
pub const MEMORY_SHARE: u64 = 4;
/// Which part of that the octets of messages in flight may be: each takes three times its size, as it came, as it is
/// decoded, and as text, and the other half is for texts of documents.
pub const MESSAGE_PART: u64 = 6;
/// Which part of it the texts of documents may be.
pub const DOCUMENT_TEXT_PART: u64 = 2;
/// Octets for which room is made when a message begins; most need no more.
pub const MESSAGE_OCTETS_FIRST: usize = 4 << 10;
/// Octets of one message from which on it counts among those in flight; smaller ones are bounded by `CONNECTIONS`.
pub const IN_FLIGHT_FROM: usize = 64 << 10;
/// Octets of the read buffer of a connection that waits.
pub const READ_OCTETS: usize = 4 << 10;
/// Octets that one read may bring: enough for the largest frame.
pub const READ_OCTETS_MAX: usize = 128 << 10;
/// Connections at once. Postfix opens one for each of its smtpd processes (100 by default).
pub const CONNECTIONS: usize = 10_000;

/// From the connection to the end of negotiation.
pub const NEGOTIATION_TIME: Duration = Duration::from_secs(10);
/// From the first octet of a frame to its last.
pub const FRAME_TIME: Duration = Duration::from_secs(30);
/// Between frames: as long as an SMTP client may be silent. Sendmail's longest is one hour; libmilter waits two.
pub const IDLE_TIME: Duration = Duration::from_secs(7_210);
/// Between octets until a connection gives its larger read buffer back.
pub const QUIET_TIME: Duration = Duration::from_secs(5);
/// Until the MTA has read a reply.
pub const WRITE_TIME: Duration = Duration::from_secs(30);
/// Until a verdict; Postfix waits 300 s (`milter_content_timeout`) for each frame.
pub const VERDICT_TIME: Duration = Duration::from_mins(4);
/// Until there is memory for a large message among those in flight; then it is deferred, so that the room it holds
/// itself is free for another. Well below the MTA's patience for one frame.
pub const IN_FLIGHT_TIME: Duration = Duration::from_mins(1);
/// Between two progress frames while the verdict is late.
pub const PROGRESS_TIME: Duration = Duration::from_secs(5);
/// From SIGTERM until connections between two mails are closed, if they stay silent: so long the first frames of a mail
/// may take from the MTA to us.
pub const DRAIN_QUIET_TIME: Duration = Duration::from_millis(250);
/// From SIGTERM until connections are closed that still receive a mail; its client tries again. Well below the 30 s that
/// Postfix waits for a reply (`milter_command_timeout`): with sockets from systemd, new connections wait meanwhile.
pub const DRAIN_TIME: Duration = Duration::from_secs(10);
/// From SIGTERM until mail that is still being judged gets no answer; its client tries again. Nearly all mail takes
/// milliseconds.
pub const LAST_ANSWER_TIME: Duration = Duration::from_secs(20);
/// From SIGTERM until a notice or receipt that is still being submitted is abandoned; it is sent after the next start.
pub const LAST_LETTER_TIME: Duration = Duration::from_secs(22);
/// From SIGTERM until the process ends, whatever its threads still do: all confirmed records are on disk.
pub const STOP_TIME: Duration = Duration::from_secs(30);
/// Added to that in the unit (`TimeoutStopSec=`), after which systemd kills the process.
pub const STOP_MARGIN: Duration = Duration::from_secs(5);
/// After `accept` failed for want of descriptors.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Connections at once on the metrics port. One more closes the oldest, so that slow clients cannot hold the port.
pub const WEB_CONNECTIONS: usize = 64;
/// From a connection to the metrics port until its answer has been read.
pub const WEB_TIME: Duration = Duration::from_secs(10);

// --- Replies --------------------------------------------------------------------------------------------------

/// Octets of text on one line of a reply; RFC 5321 §4.5.3.1.5 has 512 for the line.
pub const REPLY_LINE_OCTETS: usize = 400;
/// Lines of one reply; libmilter allows 32.
pub const REPLY_LINES: usize = 8;
/// Header fields reserved for this program that are deleted from one message; a message with more is rejected. For each,
/// Postfix searches the whole header section (4,900 cost it 1.7 s). Ten hops with ten spam headers each have as many.
pub const FORGED_FIELDS: usize = 100;
/// Octets of a header value that we write; RFC 5322 §2.1.1 has 998 for the line.
pub const HEADER_VALUE_OCTETS: usize = 900;

// --- Facts ----------------------------------------------------------------------------------------------------

/// `message/rfc822` parts and multiparts inside one another; real mail stays under ten, and each level costs time.
pub const MIME_DEPTH: usize = 50;
/// MIME parts of one message.
pub const MIME_PARTS: usize = 10_000;
/// Pieces of one message: its parts, and the subjects, names and leftovers around them.
pub const MIME_PIECES: usize = 40_000;
/// Octets for each octet of a message that are read once more, over all of it: what comes out of messages under a
/// transfer encoding, and parts that stand in others. Each level of 49 is a copy of all that is inside it; one is what
/// some programs write, against RFC 2046 §5.2.1.
pub const MIME_AGAIN_RATIO: usize = 1;
/// The same for small messages, which may have more levels.
pub const MIME_AGAIN_OCTETS: usize = 4 << 20;
/// Stretches of a header section that are no fields and are read one by one; more are read as one, with the fields
/// between them.
pub const ODD_STRETCHES: usize = 16;
/// Attachments whose names are recorded; that there were more is a defect among the facts.
pub const ATTACHMENTS: usize = 1_000;
/// Written octets of an attachment that tell what it is.
pub const KIND_OCTETS: usize = 2 << 10;
/// Written octets of a picture among which its size is looked for: a whole segment of 64 KiB, encoded, and those beside
/// it. Where it stands further on, a worker looks.
pub const PICTURE_HEAD_OCTETS: usize = 100 << 10;
/// Octets at the end of a picture among which the end of an archive behind it is looked for: its end record, and a
/// comment of 1,000. A longer comment hides the archive, which would take the decoding of 64 KiB of every picture.
pub const ARCHIVE_END_OCTETS: usize = 22 + 1_000;
/// Octets of a decoded subject in facts and log.
pub const SUBJECT_OCTETS: usize = 4_096;
/// Octets of an attachment's decoded name.
pub const ATTACHMENT_NAME_OCTETS: usize = 1_024;
/// Names that a part may have: one in each of four places is the most that a mail program writes.
pub const PART_NAMES: usize = 16;
/// Octets of a Message-ID (RFC 5322 §3.6.4; real ones stay under 300).
pub const MESSAGE_ID_OCTETS: usize = 998;
/// Octets of a Content-Type or Content-Disposition with its parameters; a file name of 255 characters in the longest
/// encoding needs 2,300.
pub const MIME_FIELD_OCTETS: usize = 8 << 10;
/// Octets of one From, Sender or Reply-To field that are read for addresses: more than Postfix's `header_size_limit`, so that
/// nothing which it lets through stands behind what is read.
pub const ADDRESS_FIELD_OCTETS: usize = 128 << 10;
/// Addresses or ids read from one header field (From, References, …).
pub const HEADER_ITEMS: usize = 1_000;
/// Messages larger than this many octets are read on a thread of their own, so that no connection waits for another.
pub const INLINE_OCTETS: usize = 128 << 10;

/// Octets of text that are read of one mail: of the message and of all documents in it, names included.
pub const TEXT_OCTETS: usize = 32 << 20;
/// Processor time that one mail may cost in all, its documents included. Half of it reads 50 MB of plain text.
pub const MAIL_CPU_TIME: Duration = Duration::from_secs(5);
/// What of that is left for the rules when documents have been read.
pub const RULES_CPU_TIME: Duration = Duration::from_millis(1_500);
/// Octets of text between two looks at whether anybody still waits for the answer, and at the processor time.
pub const WORK_OCTETS: usize = 64 << 10;

// --- Documents ------------------------------------------------------------------------------------------------

/// Octets that may be unpacked out of one document, over everything inside it. A process that may use 512 MB must
/// hold them, and read them in two seconds.
pub const DOCUMENT_OCTETS: usize = 128 << 20;
/// Octets that may be unpacked out of the smallest document.
pub const DOCUMENT_OCTETS_SMALL: usize = 32 << 20;
/// Octets that may be unpacked for each octet of a document. Tables of numbers reach a hundred; DEFLATE can do 1,032.
pub const DOCUMENT_RATIO: usize = 200;
/// Octets of text that are kept of one document; a book has half a megabyte.
pub const DOCUMENT_TEXT_OCTETS: usize = 16 << 20;
/// Octets of text that are kept of the smallest document; of a larger one [`DOCUMENT_RATIO`] for each of its octets.
pub const DOCUMENT_TEXT_OCTETS_SMALL: usize = 4 << 20;
/// Entries of all documents of one mail, over everything inside them.
pub const DOCUMENT_ENTRIES: usize = 10_000;
/// Octets that an entry counts beside its name among those of text: what is said of it takes as much.
pub const DOCUMENT_ENTRY_OCTETS: usize = 100;
/// Kilobytes of memory for the dictionary of LZMA; 7-Zip's largest preset has 64 MB, and uses little more.
pub const DOCUMENT_DICTIONARY_KB: usize = 96 << 10;
/// Strings and number formats of one workbook; Excel itself stops at 65,490 formats.
pub const WORKBOOK_STRINGS: usize = 1 << 20;
/// Number formats of one workbook.
pub const WORKBOOK_FORMATS: usize = 65_536;
/// Properties of one message or attachment in TNEF; Outlook writes about two hundred.
pub const TNEF_PROPERTIES: u32 = 10_000;
/// Groups inside one another in RTF whose settings are remembered; Word writes about ten.
pub const RTF_GROUPS: usize = 1_000;
/// Documents inside one another: a ZIP in a ZIP in a ZIP has three.
pub const DOCUMENT_DEPTH: usize = 8;
/// Storages inside one another in a compound file; a message in a message takes two.
pub const COMPOUND_DEPTH: usize = 24;
/// Records inside one another in an old presentation: groups of drawings and tables nest without reason.
pub const OFFICE_RECORD_DEPTH: usize = 100;
// --- Mail from outside -------------------------------------------------------------------------------------------

/// Until SPF, DKIM, DMARC and ARC have their answers from the DNS, all together; what is still open then is a
/// temporary error. Far below the verdict's time, and most answers take milliseconds.
pub const AUTHENTICATION_TIME: Duration = Duration::from_secs(8);
/// Until SPF, DKIM and ARC have theirs; what is left of the time above is for DMARC, which weighs what they say.
pub const IDENTIFIERS_TIME: Duration = Duration::from_secs(6);
/// One question to one resolver; with one repetition all of them fit into the time above.
pub const DNS_TIME: Duration = Duration::from_secs(2);
/// Until a question of authentication counts as slow, and it is found out whether any resolver answers at all.
pub const DNS_PATIENCE: Duration = Duration::from_secs(1);
/// Answers of the DNS that are kept until they are out of date; 300 octets each, a few at the most for one domain.
pub const DNS_ANSWERS: u64 = 20_000;
/// DKIM signatures of one message that are looked at, from the top; the rest is left out (RFC 6376 §6.1). Real mail has up
/// to five; each costs a question and an RSA operation.
pub const SIGNATURES: usize = 10;
/// The organisation's own domains that From and Sender show beside the author's, about which DMARC is asked.
pub const OWN_DOMAINS_SHOWN: usize = 3;
/// Octets of one label of a name (RFC 1035 §2.3.4).
pub const LABEL_OCTETS: usize = 63;
/// ARC fields of one message: three for each of the 50 hops that RFC 8617 §4.2.1 allows. A chain with more fails.
pub const ARC_FIELDS: usize = 150;
/// Octets of one DKIM signature or ARC seal; it names the fields it covers, and each is looked for among all. A longer
/// signature is left out, a chain with a longer field fails.
pub const SIGNATURE_OCTETS: usize = 8 << 10;

/// Until a scanner has answered, at the most: a third of the verdict's time, and all scanners work at once.
pub const SCAN_TIME_AT_MOST: Duration = Duration::from_secs(80);
/// Until a scanner has taken the connection.
pub const SCAN_CONNECT_TIME: Duration = Duration::from_secs(2);
/// Octets of a scanner's answer.
pub const SCAN_ANSWER_OCTETS: usize = 1 << 20;
/// Octets of the name that a scanner has for what it found.
pub const SIGNATURE_NAME_OCTETS: usize = 128;
/// Characters of a tag before the subject.
pub const SUBJECT_TAG_CHARACTERS: usize = 40;
/// Links of one message that are looked at.
pub const LINKS: usize = 1_000;
/// Octets of a link's text, tags and all, that are looked at.
pub const LINK_TEXT_OCTETS: usize = 2 << 10;
/// Minutes for which it is counted how many people inside a sender has written to.
pub const VOLUME_MINUTES: u32 = 24 * 60;
/// The same as a time.
pub const VOLUME_WINDOW: Duration = Duration::from_hours(24);
/// Senders with each whom they wrote to in that time; about 30 octets each. Above it no further sender is counted.
pub const VOLUME_PAIRS: usize = 1_000_000;
/// Authors that are remembered; about 20 octets each. Above it the oldest thirty days are forgotten.
pub const CONTACTS: usize = 2_000_000;
/// Authors that one mail makes known: those it is written to.
pub const CONTACTS_OF_ONE_MAIL: usize = 100;
/// Periods of thirty days for which an author is remembered: two years.
pub const CONTACT_PERIODS: i64 = 25;
/// How old the memory of authors must be before anyone counts as new, at the most.
pub const CONTACT_LEARNING_AT_MOST: Duration = Duration::from_hours(365 * 24);
/// Failures in a row after which a scanner is not asked for a while.
pub const SCAN_FAILURES: u32 = 5;
/// How long it is not asked; then one mail tries.
pub const SCAN_PAUSE: Duration = Duration::from_secs(10);

/// Objects of one PDF; a book of a thousand pages has fifty thousand.
pub const PDF_OBJECTS: usize = 1_000_000;
/// Arrays, dictionaries, forms and references inside one another in a PDF.
pub const PDF_DEPTH: usize = 64;
/// Octets for each octet of a PDF that are read once more, because an object there was none after all.
pub const PDF_AGAIN_RATIO: usize = 4;
/// Pages of one PDF whose text is read.
pub const PDF_PAGES: usize = 20_000;
/// Filters on one stream of a PDF; two are usual.
pub const PDF_FILTERS: usize = 8;
/// Operators of all pages of one PDF: what a second is enough for. A page of text has two thousand.
pub const PDF_OPERATORS: usize = 5_000_000;
/// Operands of one operator of a PDF; a color has 32 at the most.
pub const PDF_OPERANDS: usize = 64;
/// Codes of one font of a PDF: what two octets can say.
pub const PDF_CODES: usize = 65_536;
/// Ranges of lengths of codes that one font of a PDF has; the largest character maps of Asia have ten.
pub const PDF_CODE_RANGES: usize = 100;
/// Characters without meaning from which on a page or a field of a PDF counts as unread: a day of birth has six.
/// Bullets and signs, which stand by themselves or in pairs, are not among them.
pub const PDF_UNKNOWN: usize = 6;
/// Octets that are kept of what one font of a PDF shows by guess, to tell whether that is text.
pub const PDF_GUESS: usize = 4 << 10;
/// Marked content inside one another in a PDF.
pub const PDF_SPANS: usize = 1_000;
/// Pictures and letters in forms of one PDF whose places are kept for the next page with that form.
pub const PDF_MARKS: usize = 50_000;
/// Shapes of one path of a PDF that are looked at as letters; a page has three thousand.
pub const PDF_LETTERS: usize = 10_000;
/// Characters below which a page that is covered by a picture counts as an image of text: what scanners, fax machines
/// and the diary add are one or two lines. A page of which less is covered needs as much less.
pub const PDF_PAGE_CHARACTERS: f64 = 200.0;
/// The part of a page from which on pictures without text over them are a large part.
pub const PDF_PAGE_IMAGE: f64 = 0.25;
/// Places of a page, of 3,500, on which paths look like letters, from which on the page is one of outlines: two lines
/// of text, and more than a coat of arms.
pub const PDF_PAGE_OUTLINES: usize = 60;
/// Pixels of the shorter side from which on a picture may be a page of text: 72 for each inch of A4.
pub const PAGE_PIXELS: f64 = 590.0;
/// How far off the proportions of a sheet of paper a picture may be that is a page.
pub const PAGE_TOLERANCE: f64 = 0.012;
/// Pages of one TIFF file that are looked at.
pub const TIFF_PAGES: usize = 1_000;
/// Values inside one another in CMS; a signed message has about ten.
pub const CMS_DEPTH: usize = 32;
/// Properties of an old Office document, and values of one of them.
pub const DOCUMENT_PROPERTIES: usize = 1_000;

// --- Workers ---------------------------------------------------------------------------------------------------

/// Processor time that a worker may take for one document; then it is killed.
pub const DOCUMENT_CPU_TIME: Duration = Duration::from_secs(2);
/// Until a worker must have read a document however little processor time it got; then it is killed, and the mail is
/// deferred. A machine that is busy gives a worker a tenth of a core and more.
pub const DOCUMENT_TIME: Duration = Duration::from_secs(30);
/// Between two looks at the processor time of a worker that reads.
pub const DOCUMENT_LOOK: Duration = Duration::from_millis(50);
/// Until all documents of one mail must have been read, the wait for a worker included; a mail with documents that
/// were not is deferred. Well below `VERDICT_TIME`.
pub const DOCUMENTS_TIME: Duration = Duration::from_secs(90);
/// How often one message is deferred because the machine was too busy to read it. After that it counts as a message
/// that cannot be read, and the config says what follows.
pub const BUSY_DEFERRALS: u32 = 5;
/// Messages for which that is counted; about 50 octets each.
pub const BUSY_MESSAGES: usize = 10_000;
/// Clients, senders and mails for which it is known how much processor time they had lately; about 50 octets each.
pub const SHARES: usize = 100_000;
/// After which half of the processor time that somebody had no longer counts against them.
pub const SHARE_HALF_LIFE: Duration = Duration::from_secs(10);
/// Octets of memory of one worker, its program included: for a document, what is unpacked of it, and its text.
pub const WORKER_MEMORY_OCTETS: u64 = 320 << 20;
/// Processor time of one worker over its life; only one whose filter is gone comes near.
pub const WORKER_CPU_TIME: Duration = Duration::from_secs(30);
/// Processor time that a worker spends on documents before it is replaced; less than its processor time by more than one
/// document's.
pub const WORKER_SERVING_TIME: Duration = Duration::from_secs(20);
/// Documents that a worker reads before it is replaced: what one may leave behind in it, others do not meet for long.
pub const WORKER_DOCUMENTS: u32 = 500;
/// Until a worker that was ended must be gone.
pub const WORKER_END_TIME: Duration = Duration::from_secs(1);
/// Octets of a failed worker's complaint that are looked at for the cause.
pub const COMPLAINT_OCTETS: u64 = 4 << 10;
/// Octets of what a worker says of one document beside its text: what it is, its entries, their names, in JSON, which
/// writes some octets of a name as two.
pub const READING_OCTETS: usize = 48 << 20;
/// Pages of one document in which text is recognised: letters that people scan have fewer, and each takes seconds.
pub const OCR_PAGES: usize = 10;
/// Points of the longer side of a page that is made a picture: A4 at 250 for each inch, as fine as scanners are set.
pub const OCR_PAGE_PIXELS: usize = 2_920;
/// Until the text of one document must have been recognised. Well below `DOCUMENTS_TIME`, which all documents share.
pub const OCR_TIME: Duration = Duration::from_mins(1);
/// Processor time of one program that recognises text; a dense page takes five seconds.
pub const OCR_CPU_TIME: Duration = Duration::from_secs(30);
/// Octets of memory of such a program: its data for two languages, and pictures of a page.
pub const OCR_MEMORY_OCTETS: u64 = 1 << 30;
/// Files that it has open at once: itself, its libraries and its data, one after the other.
pub const OCR_FILES: u64 = 64;
/// Octets of text that it may say of one picture; a dense page has 10,000.
pub const OCR_TEXT_OCTETS: usize = 1 << 20;
/// Octets of the names of languages.
pub const OCR_LANGUAGES_OCTETS: usize = 64;
/// Octets that a pipe to a worker, or from one, may hold: most documents, so that neither side waits for the other every
/// few. Linux allows a million to anybody.
pub const PIPE_OCTETS: usize = 256 << 10;
/// Octets that a worker hands over at a time, and that are taken from it: what stays in a cache.
pub const WIRE_OCTETS: usize = 64 << 10;

// --- Scanning -------------------------------------------------------------------------------------------------

/// Numbers that are kept of one text; what lies behind them changes nothing, for it is a list by then.
pub const NUMBERS: usize = 100_000;
/// Numbers in a table from which on most of them being possible is no chance.
pub const COLUMN_NUMBERS: usize = 10;
/// Octets between a number and a term that says something of its owner: some ten sentences.
pub const NEAR_OCTETS: usize = 600;
/// Empty cells of a row that are kept before one with text, so that it stands under its heading; tables of people are
/// narrower, and a cell in the last of 16,384 columns would cost as many tabs.
pub const ROW_GAP_CELLS: usize = 64;
/// Octets of one sentence in which a name, a day of birth and a term stand together; a longer one is read in pieces.
pub const SENTENCE_OCTETS: usize = 1_000;
/// Places that evidence names; further ones are counted.
pub const SIGHTINGS: usize = 5;
/// Octets of a file's name in evidence.
pub const EVIDENCE_NAME_OCTETS: usize = 120;
/// Octets of what a refusal tells people to use instead; it stands there in two languages.
pub const ALTERNATIVE_OCTETS: usize = 300;
/// Octets of a tag before the subject.
pub const SUBJECT_TAG_OCTETS: usize = 60;
/// Octets of a text of the organisation's own; a shorter one would be found in texts of others.
pub const OWN_TEXT_OCTETS: usize = 12;

// --- Store ----------------------------------------------------------------------------------------------------

/// Records waiting for the writer; a full queue makes the mail wait, and then 451 4.3.0.
pub const STORE_QUEUE: usize = 16_384;
/// Records in one transaction.
pub const STORE_BATCH: usize = 1_024;
/// Until a commit is confirmed; then 451 4.3.0.
pub const COMMIT_TIME: Duration = Duration::from_secs(10);
/// Seen messages in memory, about 300 octets each: those that were asked for. What only came is read from the store, so
/// that no mail makes memory cold for the others.
pub const SEEN_IN_MEMORY: usize = 1_024;
/// Keys of seen messages whose place in the store is known in memory, at most 28 octets each: about two million
/// messages. Above it the oldest day is forgotten, in the 256th part of the index that is full.
pub const SEEN_INDEXED: usize = 8_000_000;
/// Days for which a message can be remembered as seen.
pub const SEEN_DAYS: u32 = 90;
/// Days for which a message is remembered as seen where the config does not say.
pub const SEEN_DAYS_USUAL: u32 = 14;
/// Days for which a message is recognised when it comes through again: it may have been on hold for so long.
pub const PASS_DAYS: u32 = 31;
/// Octets of a tag that a filter writes before a subject, with what stands around it; what is longer belongs to the
/// subject.
pub const PASS_TAG_OCTETS: usize = 40;
/// Digits in such a tag: a score has as many, and a number of a person has more.
pub const PASS_TAG_DIGITS: usize = 4;
/// DKIM signatures of one message that it is remembered by: the author's and one hop's.
pub const SEEN_SIGNATURES: usize = 2;
/// Attachments and messages in one message that it is remembered by, or recognised by.
pub const SEEN_PARTS: usize = 4;
/// Octets from which on an attachment is remembered.
pub const SEEN_PART_OCTETS: usize = 16 << 10;
/// Octets of its beginning that count, beside its size and its end.
pub const SEEN_PART_BEGINNING: usize = 512;
/// Octets of its end that count.
pub const SEEN_PART_ENDING: usize = 1 << 10;
/// Authors of one seen message that are remembered: envelope sender, From, Reply-To.
pub const SEEN_AUTHORS: usize = 5;
/// Pairs of sender and recipient between whom something went that looked like a forward; about 250 octets each.
pub const FORWARD_PAIRS: usize = 10_000;
/// Until which a message that is sent on was sent on by a program: nobody reads, decides and addresses in less.
pub const FORWARD_SOON: Duration = Duration::from_secs(30);
/// From how many mails on that looked like forwards a pair of sender and recipient is a habit.
pub const FORWARD_REPEATS: u32 = 5;
/// Notices about the targets of one mail; who forwards to more is told of these.
pub const FORWARD_NOTICES: usize = 10;
/// Mailboxes that lead to one external target by way of others, in an audit of Postfix.
pub const AUDIT_CHAIN: usize = 10_000;
/// Received fields of one message that are read, the newest first; more than 30 hops is a loop.
pub const RECEIVED_READ: usize = 30;
/// Until a look-up in the store's seen messages is given up; the fact is then unavailable.
pub const SEEN_TIME: Duration = Duration::from_secs(2);
/// Local mailboxes that are remembered of one seen message, over all the transactions in which it came; and those that
/// one forward may be the work of. Those above it are not remembered, and `seen_addresses` counts the mail.
pub const SEEN_MAILBOXES: usize = 100;
/// Octets in the write-ahead log before they are moved into the month file. After that it is written anew from its
/// beginning, and a sync that does not make the file longer takes half the time; larger costs space and a longer
/// start, smaller writes the same pages more often.
pub const CHECKPOINT_OCTETS: usize = 16 << 20;
/// Octets to which the write-ahead log's file is cut once it has been longer.
pub const WAL_OCTETS: i64 = 64 << 20;
/// Octets of a month file up to which every page of it is looked at when the store opens; larger ones would keep mail
/// waiting (measured 3 to 6 s for each GB on a busy machine).
pub const CHECK_OCTETS: u64 = 4 << 30;
/// Between two checks that the log is in its place and can be written, and of its free space; also while no mail comes.
pub const STORE_LOOK: Duration = Duration::from_secs(10);
/// Between two tree heads at the most.
pub const HEADS_LONGEST: Duration = Duration::from_hours(24);
/// Between two looks at whether a tree head is due; none is wanted more often.
pub const HEADS_LOOK: Duration = Duration::from_mins(1);
/// Between two letters with the newest heads at the most.
pub const HEADS_MAIL_LONGEST: Duration = Duration::from_hours(7 * 24);
/// Records after which a tree head is signed before its time: in a flood, no more than these are without one.
pub const HEAD_RECORDS: u64 = 65_536;
/// Until the last tree head is signed and copied, when the store closes.
pub const HEADS_END_TIME: Duration = Duration::from_secs(5);
/// Tree heads that wait for their copy's place to be there again; at one in five minutes a month. They stay beside the
/// log in any case.
pub const HEADS_WAITING: usize = 10_000;
/// Processes above a command that are looked through for where its terminal was reached from.
pub const ANCESTORS: usize = 16;
/// Days that one search for operation covers where the config does not say: a year and a day. Whoever asks since when a
/// sender is refused asks for months.
pub const OPERATION_DAYS: u32 = 366;
/// The most that a config may say: ten years.
pub const OPERATION_DAYS_MOST: u32 = 3_653;
/// Rows that one search for operation shows where the config does not say: more than anybody reads for one fault.
pub const OPERATION_ROWS: u32 = 200;
/// The most that a config may say.
pub const OPERATION_ROWS_MOST: u32 = 100_000;
/// Legal holds that are open at a time: a retention run compares each record that is due with each of them.
pub const HOLDS: usize = 1_000;
/// Octets of what a legal hold keeps, as it is stored: some four hundred addresses.
pub const HOLD_OCTETS: usize = 16 << 10;
/// Letters of a purpose, at least: the shortest words that say one have as many.
pub const PURPOSE_LETTERS: usize = 4;
/// How far past the log's newest record retention counts, whatever the clock says.
pub const RETENTION_SLACK: SignedDuration = SignedDuration::from_hours(24);
/// A time without mail that no organisation has: longer, and the clock may have jumped.
pub const RETENTION_STEP: SignedDuration = SignedDuration::from_hours(7 * 24);
/// The longest time for which a record may be decided to be kept.
pub const RETENTION_LONGEST: Duration = Duration::from_hours(100 * 366 * 24);
/// Records that one thread verifies at a time.
pub const VERIFY_RECORDS: usize = 10_000;
/// Records that one read transaction of a search covers, so that no reader keeps a checkpoint waiting.
pub const SEARCH_RECORDS: i64 = 10_000;
/// Octets of found records that a search holds before it hands them on.
pub const SEARCH_OCTETS: usize = 16 << 20;
/// Records of a segment that a index file may name; where it names more, reading all of them in order is quicker.
pub const SEARCH_NAMED: usize = 16_384;
/// Octets of records that a segment of a index file is made of, above which it says nothing and its records are read:
/// 65,536 usual ones have 20 MiB.
pub const INDEX_OCTETS: usize = 256 << 20;
/// How far an entry of the access log may be before the one that was written before it: a command reads the clock, and then
/// waits for the file.
pub const ENTRY_ORDER: SignedDuration = SignedDuration::from_mins(1);
/// How far a record may be before the one that was stored before it: its time is that of MAIL, and it is stored when the
/// mail has come.
pub const RECORD_ORDER: SignedDuration = SignedDuration::from_hours(1);
/// Entries of the access log that are looked at for the newest time. Before them stand older ones.
pub const ENTRIES_RECENT: u32 = 1_000;
/// Octets at the end of the file of tree heads in which the newest one is looked for; a head has about 300.
pub const HEADS_TAIL: u64 = 4_096;
/// Between two looks at whether the access log has grown: one `stat`.
pub const ACCESS_LOOK: Duration = Duration::from_secs(1);
/// Until the access log is free: another search holds it for the time of one fsync.
pub const ACCESS_TIME: Duration = Duration::from_secs(10);
/// Between two tries of a backup to read the access log while another command writes to it.
pub const BACKUP_BREATH: Duration = Duration::from_millis(20);
/// Octets of one recorded text field (recipients, attachment names); longer ones are cut, and the cut is marked.
pub const RECORD_FIELD_OCTETS: usize = 1 << 20;
/// Octets of attachment names that are recorded of any mail; of a larger mail, as many as it has itself. Names inside
/// archives are compressed: a mail of 15 KB can have a megabyte of them.
pub const RECORD_NAMES_OCTETS: usize = 16 << 10;

// --- Outbox -----------------------------------------------------------------------------------------------------

/// Days for which a mail of our own is known, so that no second one with its key is stored. A client gives up after
/// five (RFC 5321 §4.5.4.1); about 150 octets of memory for each.
pub const OUTBOX_DAYS: u32 = 31;
/// Between two looks at which outgoing notices came to their end: each entry about them is followed by a signed head.
pub const OUTCOMES_LOOK: Duration = Duration::from_mins(5);
/// Ends of outgoing notices that one entry of the access log tells of: 150 octets each.
pub const OUTCOMES_AT_ONCE: u32 = 1_000;
/// Mails that `log show` shows; each one's findings, notices and proof are read.
pub const SHOWN_RECORDS: usize = 100;
/// For so long the same message may come again and make its receipt wait anew.
pub const OUTBOX_FOLD_TIME: Duration = Duration::from_mins(10);

/// The longest time for which it is tried to send one; then nobody waits for it any more.
pub const OUTBOX_AGE: Duration = Duration::from_hours(14 * 24);
/// The longest pause between two tries of one letter.
pub const COURIER_PAUSE: Duration = Duration::from_hours(1);
/// The longest wait for a reply that a config may ask for (RFC 5321 §4.5.3.2.6 has ten minutes for the final dot).
pub const COURIER_TIME: Duration = Duration::from_mins(10);
/// Letters that are sent at once. A kill may make each of them go twice, so they are few.
pub const COURIER_SESSIONS: usize = 4;
/// Between two looks for something to do: a wake-up that was missed, or a request of a person.
pub const COURIER_LOOK: Duration = Duration::from_secs(1);
/// The shortest wait for a letter that is due.
pub const COURIER_BREATH: Duration = Duration::from_millis(5);
/// The first pause when the server cannot be reached; each one after it is twice as long, up to 32 times.
pub const COURIER_REST: Duration = Duration::from_secs(1);
/// Until the server has said goodbye.
pub const COURIER_QUIT_TIME: Duration = Duration::from_secs(1);
/// Octets that are read of the marks of letters that were taken: a line of 54 for each session.
pub const COURIER_MARKS_OCTETS: u64 = 4 << 10;
/// Octets of one reply of the server's.
pub const COURIER_REPLY_OCTETS: u64 = 16 << 10;
/// Letters that wait; more are not written, so that the queue has an end. 3 kB each on the disk, 300 octets in memory.
pub const OUTBOX_PENDING: usize = 50_000;
/// Receipts that are counted for the ceilings, at most; about 500 octets each.
pub const LEDGER_RECEIPTS: usize = 200_000;
/// For so long a command waits for the running program to carry out what it asks.
pub const REQUEST_TIME: Duration = Duration::from_secs(5);
/// What one rendering of a template may do, in steps of the engine; a letter needs some hundred.
pub const TEMPLATE_STEPS: u64 = 20_000;
/// Octets of one field of a template.
pub const TEMPLATE_FIELD_OCTETS: usize = 1_024;
/// Octets of a letter's subject; people see the first hundred.
pub const LETTER_SUBJECT_OCTETS: usize = 240;
/// Octets of a line of a letter's header (RFC 5322 §2.1.1).
pub const LETTER_LINE_OCTETS: usize = 78;
/// Octets of a Message-ID that a letter refers to: it cannot be folded, and its line has 998.
pub const LETTER_ID_OCTETS: usize = 900;
/// Ids in a letter's References beside that of the message it answers.
pub const LETTER_REFERENCES: usize = 20;
