class Weighbridge {
    long heaviest(long[] weights) {
        long best = weights[0], ending = 0;
        for (long weight : weights) {
            ending = Math.max(ending, 0) + weight;
            best = Math.max(best, ending);
        }
        return best;
    }
}
