//! Rows: columns as physical types under an immutable layout, encoded once.
//!
//! Storage knows physical layouts, never SQL types. A row names its layout and can be read by nothing else:
//!
//! ```text
//!   u32               ceil(n/8)      sum of widths     2 or 4 each        the rest
//!   ┌──────────────┬──────────────┬────────────────┬──────────────────┬───────────────────┐
//!   │ layout id,   │ null bitmap  │ fixed-width    │ ends of variable │ variable section  │
//!   │ wide flag    │ 1 = null     │ section        │ columns          │                   │
//!   └──────────────┴──────────────┴────────────────┴──────────────────┴───────────────────┘
//! ```
//!
//! Where a column lies follows from the layout and, for a variable one, from two neighbouring ends: no other column
//! is decoded on the way. A null takes its fixed width (zeros), or no bytes of the variable section. Ends are counted
//! from the start of the variable section, in two bytes unless the section is longer than 65,535 bytes (the *wide*
//! flag, the top bit of the first word).
//!
//! A column that the row's layout does not have (it was added by ALTER TABLE later) reads as
//! [`ColumnValue::Absent`]: the catalog knows its missing value.
//!
//! ```
//! use helios_storage::row::{ColumnValue, Layout, LayoutId, PhysicalType, RowBuilder, RowRef};
//! let layout = Layout::new(LayoutId(7), vec![PhysicalType::Int32, PhysicalType::Bytes]);
//! let mut builder = RowBuilder::new(&layout);
//! builder.push(ColumnValue::Int32(42));
//! builder.push(ColumnValue::Bytes(b"answer"));
//! let row = builder.finish();
//! let row = RowRef::new(&layout, &row).unwrap();
//! assert_eq!(row.column(1), ColumnValue::Bytes(b"answer"));
//! assert_eq!(row.column(2), ColumnValue::Absent);
//! ```

mod build;
mod layout;
mod read;

pub use build::RowBuilder;
pub use layout::{Layout, LayoutId, PhysicalType};
pub use read::{ColumnValue, RowError, RowRef};

#[cfg(test)]
mod tests;
