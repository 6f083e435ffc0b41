public class SmallStack {
    private static int descend(int generation) {
        return 1 + descend(generation + 1);
    }

    public static void main(String[] arguments) {
        System.out.println(descend(1));
    }
}
