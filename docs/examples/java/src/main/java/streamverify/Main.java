package streamverify;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.ThreadLocalRandom;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.PartitionInfo;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** Puts Lean files on lean.proofs, reads verdicts from lean.results, or checks this code against the test vectors. */
public final class Main {
    private static final ObjectMapper JSON = new ObjectMapper();

    public static void main(String[] arguments) throws Exception {
        switch (arguments[0]) {
            case "produce" -> produce(arguments[1], List.of(arguments).subList(2, arguments.length));
            case "consume" -> consume(arguments[1], Integer.parseInt(arguments[2]));
            case "vectors" -> vectors(Path.of(arguments[1]));
            default -> throw new IllegalArgumentException(
                    "produce SERVERS FILE... | consume SERVERS COUNT | vectors FOLDER");
        }
    }

    private static void produce(String servers, List<String> files) throws Exception {
        // Without all replicas a proof may be lost with a broker; idempotent: none is there twice.
        Map<String, Object> settings = Map.of(
                "bootstrap.servers", servers, "acks", "all", "enable.idempotence", true, "compression.type", "lz4");
        try (var producer = new KafkaProducer<>(settings, new StringSerializer(), new StringSerializer())) {
            int partitions = producer.partitionsFor("lean.proofs").size();
            Affinity affinity = new Affinity(partitions, ThreadLocalRandom.current()::nextDouble);
            List<Future<?>> sent = new ArrayList<>();
            for (String file : files) {
                String proof = Files.readString(Path.of(file));
                String value = JSON.writeValueAsString(Map.of("custom_id", file, "proof", proof));
                String key = Header.key(Header.canonical(proof));
                Set<Integer> reachable = new HashSet<>();
                for (PartitionInfo each : producer.partitionsFor("lean.proofs")) {
                    if (each.leader() != null) reachable.add(each.partition());
                }
                int partition = affinity.choose(key, reachable);
                sent.add(producer.send(new ProducerRecord<>("lean.proofs", partition, key, value)));
            }
            for (Future<?> each : sent) each.get();
        }
    }

    private static void consume(String servers, int count) throws IOException {
        Map<String, Object> settings = Map.of(
                "bootstrap.servers", servers, "group.id", "example-java", "auto.offset.reset", "earliest");
        try (var consumer = new KafkaConsumer<>(settings, new StringDeserializer(), new StringDeserializer())) {
            consumer.subscribe(List.of("lean.results"));
            while (count > 0) {
                for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofSeconds(1))) {
                    JsonNode result = JSON.readTree(record.value());
                    String status = result.get("status").asText();
                    // Only `verified` is proved. `inconclusive` says nothing about the proof.
                    System.out.println(record.key() + " " + status + " " + result.get("reason").asText());
                    count--;
                }
                consumer.commitSync();
            }
        }
    }

    private static void vectors(Path folder) throws IOException {
        int checked = 0;
        JsonNode headers = JSON.readTree(folder.resolve("header.vectors.json").toFile());
        for (JsonNode each : headers.get("headers")) {
            String header = Header.canonical(each.get("proof").asText());
            same(each.get("header").asText(), header);
            same(each.get("key").asText(), Header.key(header));
            checked++;
        }
        JsonNode vectors = JSON.readTree(folder.resolve("partitioner.vectors.json").toFile());
        for (JsonNode each : vectors.get("jumps")) {
            long number = Long.parseUnsignedLong(each.get("number").asText());
            for (Iterator<String> it = each.get("partition").fieldNames(); it.hasNext(); checked++) {
                String partitions = it.next();
                int expected = each.get("partition").get(partitions).asInt();
                same(expected, Affinity.jump(number, Integer.parseInt(partitions)));
            }
        }
        List<String> keys = new ArrayList<>();
        for (JsonNode each : vectors.get("orders")) {
            keys.add(each.get("key").asText());
            for (Iterator<String> it = each.get("first").fieldNames(); it.hasNext(); checked++) {
                String partitions = it.next();
                List<Integer> first = numbers(each.get("first").get(partitions));
                same(first, Affinity.order(keys.get(keys.size() - 1), Integer.parseInt(partitions), first.size()));
            }
        }
        JsonNode trace = vectors.get("trace");
        Iterator<JsonNode> starts = trace.get("starts").iterator();
        int partitions = trace.get("partitions").asInt();
        Affinity affinity = new Affinity(partitions, () -> starts.next().asDouble());
        for (JsonNode step : trace.get("steps")) {
            Set<Integer> reachable = new HashSet<>();
            for (int number = 0; number < partitions; number++) reachable.add(number);
            reachable.removeAll(numbers(step.get("without_leader")));
            for (int index = 0; index < step.get("headers").size(); index++, checked++) {
                int chosen = affinity.choose(keys.get(step.get("headers").get(index).asInt()), reachable);
                same(step.get("partitions").get(index).asInt(), chosen);
            }
        }
        System.out.println(checked + " vectors hold");
    }

    private static List<Integer> numbers(JsonNode list) {
        List<Integer> numbers = new ArrayList<>();
        for (JsonNode each : list) numbers.add(each.asInt());
        return numbers;
    }

    private static void same(Object expected, Object found) {
        if (!expected.equals(found)) throw new IllegalStateException("expected " + expected + ", found " + found);
    }
}
