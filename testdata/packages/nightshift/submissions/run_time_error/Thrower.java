public class Thrower {
    public static void main(String[] arguments) {
        int[] shifts = new int[0];
        System.out.println(shifts[arguments.length]);
    }
}
