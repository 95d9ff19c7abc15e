# A cloud for tests, of the machine that they run on: every guest is a QEMU process. It needs no provider but Terraform's own.
terraform {
  required_version = ">= 1.5"
}
