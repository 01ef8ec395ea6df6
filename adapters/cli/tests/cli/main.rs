//! The program as its user meets it: run as a process, against servers that misbehave.

mod check;
mod connect;
mod demo;
mod run;
mod session;
