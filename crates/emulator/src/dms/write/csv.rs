//! CSV as DMS writes it: RFC 4180, a header only when asked for, a word for NULL.

use std::io::Write;
use std::path::Path;

use fs_err::File;

use super::super::configuration::Target;
use super::super::row::{self, Column, Kind, Value};
use super::failed;
use crate::error::{Error, Result};

pub(super) struct CsvFile {
    writer: csv::Writer<Box<dyn Write + Send>>,
    kinds: Vec<Kind>,
    null: String,
}

impl CsvFile {
    pub(super) fn create(path: &Path, columns: &[Column], target: &Target) -> Result<Self> {
        if target.gzip {
            return Err(Error::project("the rehearsal writes no compressed CSV")
                .hint("use `DataFormat: parquet`, or `CompressionType: NONE`"));
        }
        let file: Box<dyn Write + Send> = Box::new(std::io::BufWriter::new(File::create(path)?));
        let mut writer = csv::WriterBuilder::new().delimiter(target.delimiter).from_writer(file);
        if target.header {
            writer.write_record(columns.iter().map(|column| &column.name)).map_err(|error| failed(&error))?;
        }
        Ok(Self { writer, kinds: columns.iter().map(|column| column.kind).collect(), null: target.null.clone() })
    }

    pub(super) fn write(&mut self, row: &[Value]) -> Result<()> {
        let cells = self.kinds.iter().zip(row).map(|(kind, value)| row::text(*kind, value));
        let cells = cells.map(|cell| cell.unwrap_or_else(|| self.null.clone()));
        self.writer.write_record(cells.collect::<Vec<_>>()).map_err(|error| failed(&error))
    }

    pub(super) fn close(mut self) -> Result<()> {
        self.writer.flush().map_err(|error| failed(&error))
    }
}
