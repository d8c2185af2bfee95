"""Every rule a receipt can name: what is wrong, what to do, what a good value looks like."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule in the words of the person who runs a playgroup."""

    says: str
    remedy: str
    example: str = ""


RULES: dict[str, Rule] = {
    "file.unclaimed": Rule("no agreed table has this file name", "name the files as agreed", "people_2019Q3.csv"),
    "file.missing": Rule("an agreed file or sheet is not there", "send all agreed tables together"),
    "file.format": Rule("the file is not of the agreed format", "save it as the agreed format", "CSV UTF-8"),
    "file.encoding": Rule("the characters are not in the agreed encoding", "save it in the agreed encoding"),
    "file.control": Rule("the file holds control characters", "export it again from your system"),
    "file.quote": Rule("a quotation mark is never closed, or stands inside a bare cell", "quote the whole cell"),
    "file.ragged": Rule("a row has another number of cells than the header", "check the row for stray separators"),
    "file.cell": Rule("a cell is longer than any agreed value", "take notes out of the table"),
    "file.bomb": Rule("the workbook unpacks to far more than it should", "save it anew as a plain workbook"),
    "file.damaged": Rule("the file cannot be opened", "save it anew from the program that made it"),
    "file.size": Rule("the submission is larger than agreed", "send it in parts, or ask for a new limit"),
    "file.active": Rule("the workbook holds macros, links or embedded objects", "save it as .xlsx without them"),
    "file.empty": Rule("the table has no header", "send the header even when there are no rows"),
    "header.missing": Rule("an agreed column is not there", "name the columns as agreed"),
    "header.twice": Rule("a column name stands twice", "keep one of them"),
    "header.blank": Rule("a column has no name", "name it, or take it out"),
    "leak.nhs": Rule("an NHS trust's file holds an identifier or a column not agreed",
                     "ring the information governance lead; send only what leap-eval pseudonymise wrote"),
    "leak.foreign": Rule("an identifier stands where none is agreed", "take it out of this column"),
    "leak.demo": Rule("a postcode that could exist stands in a pretend programme", "never send real data here"),
    "file.canonical": Rule("a value is not of the form that leaves a trust", "send what leap-eval pseudonymise wrote, unchanged"),
    "manifest.missing": Rule("a signed partner's folder has no manifest", "send the folder leap-eval pseudonymise wrote"),
    "manifest.damaged": Rule("the manifest cannot be read", "send the folder leap-eval pseudonymise wrote, unchanged"),
    "manifest.period": Rule("the manifest tells of another period or sequence", "send the folder under the name it was written with"),
    "manifest.version": Rule("the tokens were made by another version of the rules", "use the version of the tool the programme names"),
    "manifest.signature": Rule("the signature does not fit", "sign with the agreed key"),
    "manifest.partner": Rule("the manifest names another partner", "put it into that partner's inbox"),
    "manifest.key": Rule("the tokens were made with another key", "use the key handed over by the programme"),
    "manifest.digest": Rule("a file is not the one the manifest tells of", "send the folder unchanged"),
    "sequence.replay": Rule("the same content was received before", "nothing to do"),
    "sequence.old": Rule("a later version of this period is filed", "raise the sequence to replace it"),
    "share.systematic": Rule("too many rows are refused: the fault is systematic", "mend the export and send again"),
    "reference.missing": Rule("the reference is empty", "give every row its reference", "C-10482"),
    "reference.damaged": Rule("the reference was damaged by a spreadsheet", "format the column as text", "50000000000"),
    "reference.unknown": Rule("no person row has this reference", "send the person with the contact"),
    "required.missing": Rule("a required cell is empty", "fill it in"),
    "date.format": Rule("not a date in the agreed form", "write dates as agreed", "03/04/2019"),
    "date.future": Rule("the date lies after the day of sharing", "check the year"),
    "date.order": Rule("day and month fit only in the other order", "write the day first, as agreed"),
    "date.span": Rule("the period ends before it starts", "check both dates"),
    "number.format": Rule("not a whole number", "write digits only", "6"),
    "number.range": Rule("outside what can be", "check the number"),
    "code.unknown": Rule("not an agreed word", "use the agreed words, or ask for a new one"),
    "formula.start": Rule("the cell starts like a formula", "write the value as plain text"),
    "instrument.unknown": Rule("not an agreed instrument or item", "use the agreed names"),
    "consent.absent": Rule("no positive opt-in is recorded", "ask the family, then send again", "Yes"),
    "consent.late": Rule("the consent is dated after the day of sharing", "check the date"),
    "person.twice": Rule("the row stands twice", "nothing to do"),
}  # fmt: skip
