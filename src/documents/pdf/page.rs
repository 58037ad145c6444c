//! Pages in their order, each with what it inherits, and what each shows (ISO 32000-2 §7.7.3).

#![deny(clippy::disallowed_methods)]

use std::collections::HashSet;

use super::content;
use super::file::File;
use super::geometry::{IDENTITY, Matrix, Rect, matrix, times};
use super::object::{Dictionary, Object};
use super::shown::Shown;
use crate::documents::Reason;
use crate::documents::document::Document;

/// A4, where a page does not say.
const A4: Rect = Rect { left: 0.0, bottom: 0.0, right: 595.0, top: 842.0 };

/// A page with what it inherits.
#[derive(Clone, Copy)]
pub(super) struct Page<'f> {
    dictionary: &'f Dictionary,
    resources: Option<&'f Dictionary>,
    media_box: Option<&'f Object>,
    crop_box: Option<&'f Object>,
}

impl<'f> Page<'f> {
    fn of(file: &'f File<'_>, dictionary: &'f Dictionary, parent: Option<&Self>) -> Self {
        Self {
            dictionary,
            resources: file.inner(dictionary, "Resources").or(parent.and_then(|parent| parent.resources)),
            media_box: file.get(dictionary, "MediaBox").or(parent.and_then(|parent| parent.media_box)),
            crop_box: file.get(dictionary, "CropBox").or(parent.and_then(|parent| parent.crop_box)),
        }
    }

    /// What people see of it (§14.11.2).
    fn visible(&self, file: &File<'_>) -> Rect {
        let rect = |corners: Option<&Object>| rect(file, corners?);
        let media = rect(self.media_box).unwrap_or(A4);
        match rect(self.crop_box).map(|crop| crop.within(media)) {
            Some(crop) if !crop.is_empty() => crop,
            _ => media,
        }
    }

    /// Shows it. An error if it is an image, or not all of it can be read.
    pub(super) fn show(
        &self,
        file: &File<'_>,
        shown: &mut Shown,
        document: &mut Document<'_>,
    ) -> Result<(), Reason> {
        let (content, whole) = self.content(file, document);
        shown.begin_page(self.visible(file));
        content::show(shown, file, &content, self.resources, document.budget());
        let notes = file.get(self.dictionary, "Annots").map(Object::items).unwrap_or_default();
        for note in notes.iter().filter_map(|note| file.resolve(note)?.dictionary()) {
            if let Some((appearance, place)) = appearance(file, note) {
                content::form(shown, file, appearance, &place, document.budget());
            }
        }
        whole.and(shown.end_page())
    }

    /// Its content: one stream, or several that are one.
    fn content(&self, file: &File<'_>, document: &mut Document<'_>) -> (Vec<u8>, Result<(), Reason>) {
        // A reference may be to an array of references.
        let streams = match self.dictionary.get("Contents") {
            Some(reference @ Object::Reference(_)) => match file.resolve(reference) {
                Some(Object::Array(streams)) => streams.as_slice(),
                _ => std::slice::from_ref(reference),
            },
            Some(object) => object.items(),
            None => &[],
        };
        let (mut content, mut whole) = (Vec::new(), Ok(()));
        for stream in streams {
            let Object::Reference(number) = stream else { continue };
            match file.data(*number, document.budget()) {
                Ok(data) => {
                    content.extend_from_slice(&data);
                    content.push(b'\n');
                }
                Err(reason) => whole = Err(reason),
            }
        }
        (content, whole)
    }
}

/// The pages in the order of the page tree; if there is none, whatever says that it is a page.
pub(super) fn all<'f>(file: &'f File<'_>) -> Vec<Page<'f>> {
    let mut pages = Vec::new();
    let root = file.inner(&file.trailer, "Root").and_then(|root| root.get("Pages"));
    let mut visited = HashSet::new();
    let mut waiting: Vec<(&Object, Option<Page<'f>>)> = root.map(|root| (root, None)).into_iter().collect();
    while let Some((object, parent)) = waiting.pop() {
        if let Object::Reference(number) = object
            && !visited.insert(*number)
        {
            continue;
        }
        let Some(dictionary) = file.resolve(object).and_then(Object::dictionary) else { continue };
        let page = Page::of(file, dictionary, parent.as_ref());
        match file.get(dictionary, "Kids") {
            Some(kids) => waiting.extend(kids.items().iter().rev().map(|kid| (kid, Some(page)))),
            None => pages.push(page),
        }
    }
    if pages.is_empty() {
        let objects = file.numbers().into_iter().filter_map(|number| file.object(number)?.dictionary());
        let is_page = |dictionary: &&Dictionary| dictionary.is("Type", "Page");
        pages.extend(objects.filter(is_page).map(|dictionary| Page::of(file, dictionary, None)));
    }
    pages
}

fn rect(file: &File<'_>, corners: &Object) -> Option<Rect> {
    let numbers: Vec<f64> = corners.items().iter().filter_map(|item| file.resolve(item)?.number()).collect();
    Rect::of(&numbers).filter(|rect| !rect.is_empty())
}

/// What a note on a page looks like, and where its form goes (§12.5.5).
fn appearance(file: &File<'_>, note: &Dictionary) -> Option<(u32, Matrix)> {
    let normal = file.inner(note, "AP")?.get("N")?;
    let normal = match file.resolve(normal)? {
        Object::Dictionary(states) => states.get(std::str::from_utf8(file.get(note, "AS")?.name()?).ok()?)?,
        _ => normal,
    };
    let Object::Reference(number) = normal else { return None };
    let Some(Object::Stream(form, _)) = file.object(*number) else { return None };
    let place = || {
        let own = file.get(form, "Matrix").map_or(IDENTITY, |own| matrix(own.items()));
        let (from, to) = (rect(file, form.get("BBox")?)?.moved(&own), rect(file, note.get("Rect")?)?);
        let (wide, high) = (to.width() / from.width(), to.height() / from.height());
        Some(times(
            &[1.0, 0.0, 0.0, 1.0, -from.left, -from.bottom],
            &[wide, 0.0, 0.0, high, to.left, to.bottom],
        ))
    };
    Some((*number, place().unwrap_or(IDENTITY)))
}
