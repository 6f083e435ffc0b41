public class SmallStack {
    private static int descend(int generation) {
        return 1 + descend(generation + 1);
    }

    public static void main(String[] arguments) throws InterruptedException {
        int[] depth = {-1};
        Thread thread = new Thread(null, () -> depth[0] = descend(1), "solver", 1 << 20);
        thread.setUncaughtExceptionHandler((failed, error) -> System.exit(1));
        thread.start();
        thread.join();
        System.out.println(depth[0]);
    }
}
