//! `pipectl rehearse`
