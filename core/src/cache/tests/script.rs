//! A client that answers lists and watches from a script, then leaves watches open.

use crate::client::{
    DeleteOptions, Key, ListOptions, Patch, Reader, Scope, WatchEvent, WatchStream, Watcher,
    WriteOptions, Writer,
};
use crate::error::{Error, Result};
use crate::object::{ListMeta, Object, ObjectList};
use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt, stream};
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;

pub(super) enum Answer {
    List(u64, Vec<Arc<Object>>),
    /// A watch that brings these and ends.
    Watch(Vec<WatchEvent>),
    Fails(Error),
}

pub(super) struct Script {
    answers: Mutex<VecDeque<Answer>>,
    asked: Mutex<Vec<String>>,
}

impl Script {
    pub(super) fn new(answers: Vec<Answer>) -> Self {
        Self { answers: Mutex::new(answers.into()), asked: Mutex::default() }
    }

    pub(super) fn asked(&self) -> Vec<String> {
        self.asked.lock().clone()
    }

    fn next(&self, question: String) -> Option<Answer> {
        self.asked.lock().push(question);
        self.answers.lock().pop_front()
    }
}

#[async_trait]
impl Reader for Script {
    async fn get(&self, _: &Key) -> Result<Arc<Object>> {
        unreachable!("reflectors get nothing")
    }

    async fn list(&self, _: &Scope, _: &ListOptions) -> Result<ObjectList> {
        match self.next("list".into()) {
            Some(Answer::List(version, items)) => {
                let meta =
                    ListMeta { resource_version: version.to_string(), ..ListMeta::default() };
                Ok(ObjectList { meta, items })
            }
            Some(Answer::Fails(error)) => Err(error),
            _ => panic!("the script has no list here"),
        }
    }
}

#[async_trait]
impl Watcher for Script {
    async fn watch(&self, _: &Scope, options: &ListOptions) -> Result<WatchStream> {
        match self.next(format!("watch {}", options.resource_version)) {
            Some(Answer::Watch(events)) => {
                Ok(stream::iter(events).map(|event| Ok([event].into_iter().collect())).boxed())
            }
            Some(Answer::Fails(error)) => Err(error),
            Some(Answer::List(..)) => panic!("the script has no watch here"),
            None => Ok(stream::pending().boxed()),
        }
    }
}

#[async_trait]
impl Writer for Script {
    async fn create(&self, _: &Key, _: Bytes, _: &WriteOptions) -> Result<Arc<Object>> {
        unreachable!("reflectors write nothing")
    }
    async fn update(&self, _: &Key, _: Bytes, _: &WriteOptions) -> Result<Arc<Object>> {
        unreachable!("reflectors write nothing")
    }
    async fn patch(&self, _: &Key, _: Patch, _: &WriteOptions) -> Result<Arc<Object>> {
        unreachable!("reflectors write nothing")
    }
    async fn delete(&self, _: &Key, _: &DeleteOptions) -> Result<Option<Arc<Object>>> {
        unreachable!("reflectors write nothing")
    }
    async fn delete_collection(&self, _: &Scope, _: &ListOptions, _: &DeleteOptions) -> Result<()> {
        unreachable!("reflectors write nothing")
    }
}
