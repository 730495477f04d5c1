//! Lambda zips and Glue jobs as content-addressed artifacts.
