//! Puts Lean files on lean.proofs, reads verdicts from lean.results, or checks this code against the test vectors.

mod affinity;
mod header;

use affinity::Affinity;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{CommitMode, Consumer, StreamConsumer};
use rdkafka::message::Message;
use rdkafka::producer::{FutureProducer, FutureRecord, Producer};
use serde_json::{json, Value};
use std::error::Error;
use std::path::Path;
use std::time::Duration;

type Outcome = Result<(), Box<dyn Error>>;

#[tokio::main]
async fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["produce", servers, files @ ..] => produce(servers, files).await,
        ["consume", servers, count] => consume(servers, count.parse()?).await,
        ["vectors", folder] => vectors(Path::new(folder)),
        _ => Err("produce SERVERS FILE... | consume SERVERS COUNT | vectors FOLDER".into()),
    }
}

async fn produce(servers: &str, files: &[&str]) -> Outcome {
    // Idempotent: acknowledged by all replicas, and none is there twice.
    let producer: FutureProducer =
        ClientConfig::new().set("bootstrap.servers", servers).set("enable.idempotence", "true").create()?;
    let metadata = producer.client().fetch_metadata(Some("lean.proofs"), Duration::from_secs(10))?;
    let partitions = metadata.topics()[0].partitions();
    let mut affinity = Affinity::new((0..partitions.len()).map(|_| rand::random()).collect());
    let mut sent = Vec::new();
    for file in files {
        let proof = std::fs::read_to_string(file)?;
        let value = json!({"custom_id": file, "proof": proof}).to_string();
        let key = header::key(&header::canonical(&proof));
        let has_leader = |number| partitions.iter().any(|each| each.id() == number as i32 && each.leader() >= 0);
        let partition = affinity.choose(Some(&key), has_leader);
        let record = FutureRecord::to("lean.proofs").partition(partition as i32).key(&key).payload(&value);
        sent.push(producer.send_result(record).map_err(|(error, _)| error)?);
    }
    for each in sent {
        each.await?.map_err(|(error, _)| error)?;
    }
    Ok(())
}

async fn consume(servers: &str, mut count: usize) -> Outcome {
    let consumer: StreamConsumer = ClientConfig::new()
        .set("bootstrap.servers", servers)
        .set("group.id", "example-rust")
        .set("auto.offset.reset", "earliest")
        .create()?;
    consumer.subscribe(&["lean.results"])?;
    while count > 0 {
        let record = consumer.recv().await?;
        let result: Value = serde_json::from_slice(record.payload().unwrap_or_default())?;
        // Only `verified` is proved. `inconclusive` says nothing about the proof.
        let [id, status, reason] = ["custom_id", "status", "reason"].map(|name| result[name].as_str().unwrap_or("?"));
        println!("{id} {status} {reason}");
        consumer.commit_message(&record, CommitMode::Async)?;
        count -= 1;
    }
    Ok(())
}

fn vectors(folder: &Path) -> Outcome {
    let read =
        |name| -> Result<Value, Box<dyn Error>> { Ok(serde_json::from_slice(&std::fs::read(folder.join(name))?)?) };
    let (headers, vectors) = (read("header.vectors.json")?, read("partitioner.vectors.json")?);
    let mut checked = 0;
    for each in list(&headers["headers"]) {
        let found = header::canonical(each["proof"].as_str().unwrap_or_default());
        assert_eq!(each["header"], found, "{each}");
        assert_eq!(each["key"], header::key(&found));
        checked += 1;
    }
    for each in list(&vectors["jumps"]) {
        let number: u64 = each["number"].as_str().unwrap_or_default().parse()?;
        for (partitions, expected) in each["partition"].as_object().into_iter().flatten() {
            assert_eq!(*expected, affinity::jump(number, partitions.parse()?), "{each}");
            checked += 1;
        }
    }
    let keys: Vec<&str> = list(&vectors["orders"]).iter().filter_map(|each| each["key"].as_str()).collect();
    for (each, key) in list(&vectors["orders"]).iter().zip(&keys) {
        for (partitions, expected) in each["first"].as_object().into_iter().flatten() {
            let first = list(expected).len();
            assert_eq!(*expected, json!(affinity::order(key, partitions.parse()?, first)), "{each}");
            checked += 1;
        }
    }
    let trace = &vectors["trace"];
    let mut affinity = Affinity::new(list(&trace["starts"]).iter().filter_map(Value::as_f64).collect());
    for step in list(&trace["steps"]) {
        let has_leader = |number: usize| !list(&step["without_leader"]).contains(&json!(number));
        for (header, expected) in list(&step["headers"]).iter().zip(list(&step["partitions"])) {
            let key = keys[header.as_u64().unwrap_or_default() as usize];
            assert_eq!(*expected, affinity.choose(Some(key), has_leader), "record {checked}");
            checked += 1;
        }
    }
    println!("{checked} vectors hold");
    Ok(())
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}
