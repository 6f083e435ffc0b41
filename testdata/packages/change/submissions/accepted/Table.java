import java.util.Scanner;

public class Table {
    public static void main(String[] arguments) {
        Scanner input = new Scanner(System.in);
        int target = input.nextInt();
        int[] ways = new int[target + 1];
        ways[0] = 1;
        for (int kinds = input.nextInt(); kinds > 0; kinds--) {
            int coin = input.nextInt();
            for (int amount = coin; amount <= target; amount++)
                ways[amount] = (ways[amount] + ways[amount - coin]) % 1_000_000_007;
        }
        System.out.println(ways[target]);
    }
}
