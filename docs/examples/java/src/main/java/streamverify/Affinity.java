package streamverify;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.DoubleSupplier;

/** Which partition a record goes to: steps 2 to 6 of schemas/partitioner.md. One for each producer; not thread-safe. */
final class Affinity {
    private static final int WINDOW = 16_384;
    private static final int COUNTERS = 4_096;

    private final int partitions;
    private final double[] sent;
    private final Map<String, Double> counts = new HashMap<>();
    private final Map<String, List<Integer>> orders = new HashMap<>();
    private Set<Integer> missing = Set.of();
    private double total;

    /** `start` gives what each partition's count begins with: a number below 1, by chance. */
    Affinity(int partitions, DoubleSupplier start) {
        this.partitions = partitions;
        this.sent = new double[partitions];
        for (int number = 0; number < partitions; number++) sent[number] = start.getAsDouble();
    }

    /** Step 2: jump consistent hashing of a 64-bit number. */
    static int jump(long number, int partitions) {
        long at = -1;
        long after = 0;
        while (after < partitions) {
            at = after;
            number = number * 2862933555777941757L + 1;
            after = ((at + 1) << 31) / ((number >>> 33) + 1);
        }
        return (int) at;
    }

    /** Step 2: the first partitions in the order of a key. */
    static List<Integer> order(String key, int partitions, int first) {
        Set<Integer> order = new LinkedHashSet<>();
        byte[] digits = key.getBytes(StandardCharsets.US_ASCII);
        for (int block = 0; order.size() < Math.min(first, partitions); block++) {
            ByteBuffer input = ByteBuffer.allocate(digits.length + 4).put(digits).putInt(block);
            ByteBuffer digest = ByteBuffer.wrap(Header.sha256(input.array()));
            while (digest.hasRemaining() && order.size() < first) order.add(jump(digest.getLong(), partitions));
        }
        return new ArrayList<>(order);
    }

    /** Steps 3 to 6. `key`: null if none is known. `reachable`: the partitions that have a leader. */
    int choose(String key, Set<Integer> reachable) {
        leaders(reachable);
        int having = partitions - missing.size();
        int own = having;
        boolean isNew = false;
        if (key != null) {
            double known = count(key);
            isNew = known <= 1;
            own = (int) Math.min(partitions, Math.max(1, Math.ceil(3 * known * partitions / (2 * total))));
        }
        int chosen = key == null || own >= having ? leastOf(null, 0) : leastOf(key, own, having, isNew);
        sent[chosen] += 1;
        return chosen;
    }

    private int leastOf(String key, int count, int having, boolean isNew) {
        int relief = Math.max(2 * count, isNew ? 8 : 4);
        // Cached whole, although only its beginning is needed: an example may be simple.
        List<Integer> whole = orders.computeIfAbsent(key, each -> order(each, partitions, partitions));
        List<Integer> order = whole.stream().filter(number -> !missing.contains(number)).toList();
        int own = leastOf(order, count);
        int other = relief >= having ? leastOf(null, 0) : leastOf(order, relief);
        if (sent[own] <= sent[other] + (isNew ? 0 : 8)) return own;
        if (isNew) {
            whole.remove((Integer) other);
            whole.add(0, other);
        }
        return other;
    }

    /** The one that was sent least of the first `count` of an order; of all, if there is none. */
    private int leastOf(List<Integer> order, int count) {
        int least = -1;
        for (int index = 0; index < (order == null ? partitions : count); index++) {
            int number = order == null ? index : order.get(index);
            if (order == null && missing.contains(number)) continue;
            if (least < 0 || sent[number] < sent[least]) least = number;
        }
        return least;
    }

    /** Step 5: how many records with this key there were of late, this one included. */
    private double count(String key) {
        total += 1;
        if (counts.containsKey(key) || counts.size() < COUNTERS) {
            counts.merge(key, 1.0, Double::sum);
        } else {
            counts.replaceAll((other, count) -> count - 1);
            counts.values().removeIf(count -> count <= 0);
        }
        if (total >= WINDOW) {
            total /= 2;
            counts.values().removeIf(count -> count <= 1);
            counts.replaceAll((other, count) -> count / 2);
            for (int number = 0; number < partitions; number++) sent[number] /= 2;
        }
        return counts.getOrDefault(key, 0.0);
    }

    /** Step 6: a partition that has a leader again gets the mean, if it has less. */
    private void leaders(Set<Integer> reachable) {
        Set<Integer> gone = new LinkedHashSet<>();
        for (int number = 0; number < partitions; number++) if (!reachable.contains(number)) gone.add(number);
        double mean = 0;
        for (double each : sent) mean += each / partitions;
        for (int number : missing) if (!gone.contains(number)) sent[number] = Math.max(sent[number], mean);
        missing = gone.size() < partitions ? gone : Set.of();
    }
}
