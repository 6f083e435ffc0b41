public class MissingClass {
    public static void main(String[] arguments) {
        System.out.println(new Formula("1 + 2").sum());
    }
}
