// As even as can be: consecutive shares, with the remainder on the largest ones.
import java.util.Scanner;

class Even {
    public static void main(String[] arguments) {
        Scanner input = new Scanner(System.in);
        long coins = input.nextLong(), heirs = input.nextLong();
        long extra = coins - heirs * (heirs + 1) / 2;
        if (extra < 0) {
            System.out.println("impossible");
            return;
        }
        StringBuilder output = new StringBuilder();
        for (long heir = 1; heir <= heirs; heir++) {
            long share = heir + extra / heirs + (heir > heirs - extra % heirs ? 1 : 0);
            output.append(share).append(heir % 10 == 0 ? '\n' : '\t');
        }
        System.out.println(output);
    }
}
