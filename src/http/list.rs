//! The list query: `limit`, `skip`, `after`, `sort`, `where[<col>][<op>]`, over the columns that a list declares.
