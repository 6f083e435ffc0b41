public class Untyped {
    public static void main(String[] arguments) {
        int sum = "1" + 2;
        System.out.println(sum);
    }
}
